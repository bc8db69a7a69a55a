// The node-* packages give os and cpu as strings, which pnpm drops from its lockfile:
// as lists they keep other platforms' binaries from being installed here.
const list = (value) => (typeof value === 'string' ? [value] : value);
module.exports = {
  hooks: {
    readPackage(pkg) {
      if (/^node-(bin-)?(linux|darwin|win)-(x64|arm64)$/.test(pkg.name)) {
        pkg.os = list(pkg.os);
        pkg.cpu = list(pkg.cpu);
        if (pkg.os && pkg.os[0] === 'linux') pkg.libc = ['glibc'];
      }
      return pkg;
    },
  },
};
