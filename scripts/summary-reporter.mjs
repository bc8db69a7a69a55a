// A vitest reporter that closes a run with every skip and its reason, and the one line that sums it up.

/** Counts tests by outcome and prints `N passed, N failed, N skipped` last. */
export default class SummaryReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 }
    const skips = []
    for (const module of modules) {
      if (module.state() === 'failed' && [...module.children.allTests()].length === 0) counts.failed += 1
      for (const test of module.children.allTests()) {
        const result = test.result()
        if (result.state === 'pending') counts.failed += 1
        else counts[result.state] += 1
        if (result.state === 'skipped') skips.push(`${test.fullName}: ${result.note ?? 'no reason given'}`)
      }
    }
    for (const skip of skips) console.log(`skipped: ${skip}`)
    // The default reporter prints its own summary in the same hook; ours must stand below it.
    setImmediate(() =>
      console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`),
    )
  }
}
