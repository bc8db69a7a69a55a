// Everything the server can be told. From this one table come the flags, the names in a file and in the environment, the
// help, the README's reference, and the checks.

import { parseDuration } from './durations.ts'
import {
  addressOrPrefix,
  databaseUrl,
  dnsRecord,
  hostName,
  listenAddress,
  listenAddressOrOff,
  oneOf,
  serverUrl,
  splitDomain,
  webUrl,
} from './flag-values.ts'
import { readRelay } from './relay-flag.ts'
import type { Setting, SettingGroup } from './setting.ts'
import { defaultStateDirectory } from './state-directory.ts'

/** Where the file is, that holds the others. */
export const CONFIG: Setting = {
  key: 'config',
  letter: 'c',
  value: 'path',
  help: 'file of these settings, YAML or HuJSON; /etc/mesh-control.yaml is read when it is there',
}

/** Where a server on this machine keeps what it remembers, and where its socket is. */
export const STATE_DIR: Setting = {
  key: 'state-dir',
  value: 'path',
  help: 'directory of keys, database and socket',
  otherwise: defaultStateDirectory(),
  otherwiseMeans: '/var/lib/mesh-control, or ~/.local/state/mesh-control for others than root',
}

/** Where the records are. */
export const DATABASE: Setting = {
  key: 'database',
  value: 'url',
  help: 'keep everything in PostgreSQL, postgres://…, which servers may share, instead of a file in the directory',
  read: databaseUrl,
  secret: true,
}

/** What the server proves itself by. */
export const PRIVATE_KEY: Setting = {
  key: 'private-key',
  value: 'file',
  help: "the server's key; servers that share a database need the same one (default: in the directory)",
}

/** Which server a verb asks. */
export const CLIENT_SETTINGS: readonly Setting[] = [
  CONFIG,
  STATE_DIR,
  { key: 'url', value: 'address', help: 'ask a server elsewhere, https://control.example' },
  {
    key: 'api-key-file',
    value: 'path',
    help: 'file of the API key for --url; MESH_CONTROL_API_KEY is one itself',
  },
  { key: 'insecure', bare: true, help: 'take whatever certificate --url has, or none at all' },
]

/** What `serve` can be told. */
export const SERVE_SETTINGS: readonly SettingGroup[] = [
  {
    heading: 'Where it listens:',
    settings: [
      {
        key: 'listen',
        value: 'address',
        help: 'host:port for clients and administrators; port 0 takes any',
        read: listenAddress,
        otherwise: '127.0.0.1:8080',
      },
      {
        key: 'server-url',
        value: 'url',
        help: 'how clients reach it, when that is not where it listens',
        read: serverUrl,
      },
      {
        key: 'metrics-listen',
        value: 'address',
        help: 'host:port of /metrics and /debug pages, on this machine alone, or off',
        read: listenAddressOrOff,
        otherwise: 'off',
      },
      {
        key: 'trusted-proxy',
        value: 'prefix',
        help: 'a proxy whose X-Forwarded-For is believed: its address, or those of several',
        read: addressOrPrefix,
        many: true,
      },
      { key: 'tls-cert', value: 'file', help: 'speak TLS with this certificate (PEM); read again on SIGHUP' },
      { key: 'tls-key', value: 'file', help: 'its private key (PEM)' },
      {
        key: 'acme-hostname',
        value: 'name',
        help: 'speak TLS with a certificate for this name, whose port 443 leads here, from an authority; renewed by itself',
        read: hostName,
      },
      { key: 'acme-email', value: 'address', help: 'whom the authority may write to' },
      {
        key: 'acme-directory',
        value: 'url',
        help: "the authority's ACME directory (default: Let's Encrypt's)",
        read: webUrl,
      },
      { key: 'acme-eab-kid', value: 'id', help: 'key ID of an account with the authority' },
      {
        key: 'acme-eab-key',
        value: 'key',
        help: 'HMAC key of that account, in base64; better in the environment or a file',
        secret: true,
      },
    ],
  },
  {
    heading: 'What it keeps:',
    settings: [
      STATE_DIR,
      DATABASE,
      PRIVATE_KEY,
      {
        key: 'audit-retention',
        value: 'duration',
        help: 'how long the audit log keeps what was done',
        read: parseDuration,
        otherwise: '90d',
      },
    ],
  },
  {
    heading: 'Nodes:',
    settings: [
      {
        key: 'ipv4-range',
        value: 'prefix',
        help: 'where new addresses come from, within 100.64.0.0/10',
        otherwise: '100.64.0.0/10',
      },
      {
        key: 'address-order',
        value: 'order',
        help: 'whether new addresses go up one after the other (sequential), or are drawn (random)',
        read: oneOf('sequential', 'random'),
        otherwise: 'sequential',
      },
      {
        key: 'node-approval',
        help: 'whether a node that comes by a key takes part only when it is approved, or its key is pre-approved',
      },
      {
        key: 'node-expiry',
        value: 'duration',
        help: "how long a user's node stays logged in; 0 is for ever",
        read: parseDuration,
        otherwise: '0',
      },
      {
        key: 'ephemeral-timeout',
        value: 'duration',
        help: 'how long an ephemeral node may stay away before it is removed',
        read: parseDuration,
        otherwise: '30m',
      },
      {
        key: 'client-version',
        value: 'version',
        help: "the newest version of Tailscale's clients, as 1.98.2: older ones tell their person",
      },
      {
        key: 'dial-address',
        value: 'address',
        help: 'an address that clients dial when the name in --server-url does not resolve, the best first',
        many: true,
      },
    ],
  },
  {
    heading: 'Names:',
    settings: [
      {
        key: 'base-domain',
        value: 'name',
        help: "suffix of every node's name",
        otherwise: 'mesh.internal',
      },
      {
        key: 'nameserver',
        value: 'address',
        help: "a resolver for all other names, in place of the nodes' own",
        many: true,
      },
      {
        key: 'override-local-dns',
        help: 'whether --nameserver is for all, or only where nodes cannot tell their own resolvers',
        otherwise: 'true',
      },
      {
        key: 'split-dns',
        value: 'domain=address',
        help: 'a resolver for the names under one domain',
        read: splitDomain,
        many: true,
      },
      {
        key: 'search-domain',
        value: 'name',
        help: 'tried behind short names, after the base domain',
        many: true,
      },
      {
        key: 'dns-record',
        value: 'name=address',
        help: 'a name that every node resolves to this address',
        read: dnsRecord,
        many: true,
      },
      {
        key: 'dns-listen',
        value: 'address',
        help: 'host:port of a DNS server for --base-domain, so that nodes get certificates; delegate the domain to it',
        read: listenAddress,
      },
      {
        key: 'dns-hook',
        value: 'program',
        help: 'brings the texts of such certificates into a DNS elsewhere: called as PROGRAM publish|withdraw NAME TXT VALUE',
      },
    ],
  },
  {
    heading: 'Relays:',
    settings: [
      {
        key: 'relay',
        value: 'url',
        help: 'https://host[:port], then ,stun=PORT (3478) or ,stun=off, ,insecure, ,cert=sha256-raw:HEX; regions 900, 901, …',
        read: readRelay,
        many: true,
      },
      { key: 'derp-map', value: 'file', help: 'a whole relay map as JSON, instead of --relay' },
      {
        key: 'embedded-relay',
        help: 'be a relay too (region 999), under the same address, for the nodes of this network only',
      },
      {
        key: 'stun',
        value: 'address',
        help: 'host:port of its STUN answerer, or off (default: port 3478 beside --listen)',
        read: listenAddressOrOff,
      },
    ],
  },
  {
    heading: 'This program:',
    settings: [CONFIG, { key: 'verbose', help: 'log more' }],
  },
]
