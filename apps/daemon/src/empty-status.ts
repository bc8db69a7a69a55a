// What a daemon says of itself while it runs no node.
import { type PeerStatus, type Status, ZERO_TIME } from '@mesh/net'
import { VERSION } from './version.ts'

/** The status of a daemon that runs no node. */
export const EMPTY_STATUS: Status = {
  Version: VERSION,
  TUN: false,
  BackendState: 'NoState',
  HaveNodeKey: false,
  AuthURL: '',
  TailscaleIPs: null,
  Self: null,
  Health: [],
  MagicDNSSuffix: '',
  CurrentTailnet: null,
  CertDomains: null,
  Peer: null,
  User: null,
}

/** This machine before it has a place in any network: tools of the family expect an object here. */
export function namelessSelf(hostname: string): PeerStatus {
  return {
    ID: '',
    NodeID: 0,
    PublicKey: `nodekey:${'0'.repeat(64)}`,
    HostName: hostname,
    DNSName: '',
    OS: process.platform,
    UserID: 0,
    TailscaleIPs: [],
    AllowedIPs: [],
    Addrs: [],
    CurAddr: '',
    PeerRelay: '',
    Relay: '',
    RxBytes: 0,
    TxBytes: 0,
    Created: ZERO_TIME,
    LastSeen: ZERO_TIME,
    LastHandshake: ZERO_TIME,
    Online: false,
    Active: false,
    ExitNode: false,
    ExitNodeOption: false,
    InNetworkMap: false,
    InMagicSock: false,
    InEngine: false,
  }
}
