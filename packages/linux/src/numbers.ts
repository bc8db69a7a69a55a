// Numbers of Linux, with the names its headers give them. Those that differ between processors are left out: the ones
// here are the same on x86-64 and arm64.

/** open(2): for reading and writing. */
export const O_RDWR = 0o2
/** open(2), eventfd(2): calls return EAGAIN instead of waiting. */
export const O_NONBLOCK = 0o4000
/** open(2), eventfd(2): not inherited by programs that are started. */
export const O_CLOEXEC = 0o2000000
/** poll(2): there is something to read. */
export const POLLIN = 0x1
/** poll(2): something is wrong with the file. */
export const POLLERR = 0x8

/** Not permitted. */
export const EPERM = 1
/** No such file. */
export const ENOENT = 2
/** Interrupted by a signal. */
export const EINTR = 4
/** Input or output error. */
export const EIO = 5
/** No such device or address. */
export const ENXIO = 6
/** No such file descriptor. */
export const EBADF = 9
/** Would have to wait. */
export const EAGAIN = 11
/** Access denied. */
export const EACCES = 13
/** In use. */
export const EBUSY = 16
/** No such device. */
export const ENODEV = 19
/** Invalid argument. */
export const EINVAL = 22
/** A file of no use in this state: a TUN whose interface was deleted. */
export const EBADFD = 77
/** A datagram too long. */
export const EMSGSIZE = 90
/** The address is in use. */
export const EADDRINUSE = 98
/** The machine has no such address. */
export const EADDRNOTAVAIL = 99
/** No way to the network. */
export const ENETUNREACH = 101
/** No way to the host. */
export const EHOSTUNREACH = 113

/** TUN: gives a file descriptor its interface. */
export const TUNSETIFF = 0x400454ca
/** TUN: which offloads the reader takes. */
export const TUNSETOFFLOAD = 0x400454d0
/** TUN: length of the header in front of each packet. */
export const TUNSETVNETHDRSZ = 0x400454d8
/** TUN: IP packets, no Ethernet. */
export const IFF_TUN = 0x1
/** TUN: no packet information in front. */
export const IFF_NO_PI = 0x1000
/** TUN: one of several queues. */
export const IFF_MULTI_QUEUE = 0x100
/** TUN: a virtio header in front, which carries offloads. */
export const IFF_VNET_HDR = 0x4000
/** Offload: checksums are left to the reader. */
export const TUN_F_CSUM = 0x01
/** Offload: TCP segmentation over IPv4. */
export const TUN_F_TSO4 = 0x02
/** Offload: TCP segmentation over IPv6. */
export const TUN_F_TSO6 = 0x04
/** Offload: UDP segmentation over IPv4 (Linux 6.2). */
export const TUN_F_USO4 = 0x20
/** Offload: UDP segmentation over IPv6 (Linux 6.2). */
export const TUN_F_USO6 = 0x40

/** Internet protocol 4. */
export const AF_INET = 2
/** Internet protocol 6. */
export const AF_INET6 = 10
/** The kernel's own family, for its settings and news of them. */
export const AF_NETLINK = 16
/** Raw messages. */
export const SOCK_RAW = 3
/** Netlink: group of news of IPv4 addresses. */
export const RTMGRP_IPV4_IFADDR = 0x10
/** Netlink: group of news of IPv6 addresses. */
export const RTMGRP_IPV6_IFADDR = 0x100
/** Netlink: an interface has an address. */
export const RTM_NEWADDR = 20
/** Netlink: an interface has an address no more. */
export const RTM_DELADDR = 21
/** Datagrams. */
export const SOCK_DGRAM = 2
/** Level of options: sockets. */
export const SOL_SOCKET = 1
/** Level of options: UDP. */
export const SOL_UDP = 17
/** Level of options: IPv4. */
export const IPPROTO_IP = 0
/** Level of options: IPv6. */
export const IPPROTO_IPV6 = 41
/** Size of the send buffer. */
export const SO_SNDBUF = 7
/** Size of the receive buffer. */
export const SO_RCVBUF = 8
/** The same beyond the system's limit, for who may. */
export const SO_SNDBUFFORCE = 32
/** The same beyond the system's limit, for who may. */
export const SO_RCVBUFFORCE = 33
/** Several sockets on one port, for who all ask for it. */
export const SO_REUSEPORT = 15
/** A classic packet filter that says which of them gets a datagram (Linux 4.5). */
export const SO_ATTACH_REUSEPORT_CBPF = 51
/** IPv6 alone, so that IPv4 can have the same port. */
export const IPV6_V6ONLY = 26
/** Which address a datagram came to, or goes out from: option and control message. */
export const IP_PKTINFO = 8
/** The same for IPv6: the option. */
export const IPV6_RECVPKTINFO = 49
/** The same for IPv6: the control message. */
export const IPV6_PKTINFO = 50
/** Whether the kernel cuts up what is too large for the path: option of IPv4. */
export const IP_MTU_DISCOVER = 10
/** The same: option of IPv6. */
export const IPV6_MTU_DISCOVER = 23
/** It does, once it has heard that it must. Of both families. */
export const PMTUDISC_WANT = 1
/** It never does, nor believes anybody what the path's MTU is: what is larger than the link's is refused. */
export const PMTUDISC_PROBE = 3
/** Length of the segments of one sendmsg(2) (Linux 4.18). */
export const UDP_SEGMENT = 103
/** Several datagrams of one source in one recvmsg(2) (Linux 5.0). */
export const UDP_GRO = 104
/** recvmsg(2), sendmsg(2): do not wait. */
export const MSG_DONTWAIT = 0x40
