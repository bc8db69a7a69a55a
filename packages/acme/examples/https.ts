// An HTTPS server that gets its certificate from Let's Encrypt, and renews it.
import { createServer, type Server } from 'node:https'
import { createSecureContext, type SecureContext, type TLSSocket } from 'node:tls'
import { type CertificatePair, DIRECTORIES, keepCertificate, keptCertificate } from '@mesh/acme/node'

/** Serves a name on port 443. Until there is a certificate, clients find the `stopgap`, and come again. */
export function serveWithCertificate(hostname: string, directory: string, stopgap: CertificatePair): Server {
  const order = { hostname, directory, authority: { directoryUrl: DIRECTORIES.letsencrypt } }
  let proof: SecureContext | undefined
  const server = createServer({
    ...(keptCertificate(order) ?? stopgap),
    ALPNCallback(this: TLSSocket, { protocols }) {
      if (!proof || protocols.join() !== 'acme-tls/1') return protocols.find((each) => each === 'http/1.1')
      this.setKeyCert(proof)
      return 'acme-tls/1'
    },
  })
  const holder = {
    setCertificate: (certificate: CertificatePair) => server.setSecureContext(certificate),
    setChallenge: async (certificate: CertificatePair | undefined) => {
      proof = certificate && createSecureContext(certificate)
    },
  }
  const stop = keepCertificate({ ...order, server: holder, say: (line) => console.log(line) })
  return server.listen(443).on('close', stop)
}
