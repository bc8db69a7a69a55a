// The ten bytes that a TUN with offloads puts in front of each packet: struct virtio_net_hdr, all numbers little-endian.
// They say what the kernel left to us, and, written, what we leave to it.

/** Bytes of the header. */
export const VIRTIO_LENGTH = 10

/** Offsets: flags, kind of segmentation, then words of 16 bits. */
export const VIRTIO_FLAGS = 0
export const VIRTIO_GSO = 1
export const VIRTIO_HEADER_LENGTH = 2
export const VIRTIO_GSO_SIZE = 4
export const VIRTIO_CHECKSUM_START = 6
export const VIRTIO_CHECKSUM_OFFSET = 8

/** Flag: the checksum field holds the sum of the pseudo header, the rest is to be added. */
export const VIRTIO_NEEDS_CHECKSUM = 1

/** Kinds of segmentation. */
export const GSO_NONE = 0
export const GSO_TCP_V4 = 1
export const GSO_TCP_V6 = 4
export const GSO_UDP = 5
/** A bit beside the kind: the congestion bits of TCP's first segment need care. */
export const GSO_ECN = 0x80
