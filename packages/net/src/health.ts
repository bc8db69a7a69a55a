// What is wrong with a node, in the words of control and in its own: sentences for people, and warnings with a name for
// programs.
import type { NetworkMap } from '@mesh/netmap'
import type { DisplayMessage } from '@mesh/wire/control'

/** A warning in the field names that programs of this family know. */
export interface Warning {
  /** Its name: the same as long as it is the same trouble. */
  readonly WarnableCode: string
  /** `high`, `medium` or `low`. */
  readonly Severity: string
  /** A few words. */
  readonly Title: string
  /** A sentence or several. */
  readonly Text: string
  /** Whether traffic suffers. */
  readonly ImpactsConnectivity?: boolean
  /** What a person can do. */
  readonly PrimaryAction?: DisplayMessage['PrimaryAction']
}

const SEVERITIES = ['high', 'medium', 'low']

/** Returns all that is wrong as sentences: first what this node knows itself, then what control says, the gravest first. */
export function healthSentences(own: readonly string[], map: NetworkMap | undefined): readonly string[] {
  const said = messagesOf(map).map(([, message]) => sentenceOf(message))
  return [...new Set([...own, ...(map?.health ?? []), ...said].map(printable))].filter((text) => text !== '')
}

/** Returns all that is wrong as warnings, by their names. */
export function healthWarnings(
  own: readonly string[],
  map: NetworkMap | undefined,
): Readonly<Record<string, Warning>> {
  const plain = [...own, ...(map?.health ?? [])].map((Text, index): [string, Warning] => {
    const WarnableCode = `mesh-trouble-${index + 1}`
    return [WarnableCode, { WarnableCode, Severity: 'medium', Title: 'Trouble', Text }]
  })
  const said = messagesOf(map).map(([id, message]): [string, Warning] => {
    const { Title, Text, Severity = 'medium', ImpactsConnectivity, PrimaryAction } = message
    return [
      id,
      {
        WarnableCode: id,
        Severity,
        Title,
        Text,
        ...(ImpactsConnectivity ? { ImpactsConnectivity } : {}),
        ...(PrimaryAction ? { PrimaryAction } : {}),
      },
    ]
  })
  return Object.fromEntries([...plain, ...said])
}

function messagesOf(map: NetworkMap | undefined): readonly (readonly [string, DisplayMessage])[] {
  const rank = ({ Severity = 'medium' }: DisplayMessage): number => SEVERITIES.indexOf(Severity)
  return [...(map?.messages ?? [])].sort(
    ([a, one], [b, other]) => rank(one) - rank(other) || (a < b ? -1 : 1),
  )
}

function sentenceOf({ Title, Text, PrimaryAction }: DisplayMessage): string {
  const words = Title && Text ? `${Title}: ${Text}` : Title ? `${Title}.` : Text
  return PrimaryAction ? `${words} ${PrimaryAction.Label}: ${PrimaryAction.URL}` : words
}

/** A server's words end on a terminal: nothing in them steers one. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]+/gu, ' ').trim()
}
