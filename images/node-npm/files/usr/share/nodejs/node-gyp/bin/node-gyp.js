#!/usr/bin/node
console.error("node-gyp: this image has no compiler: install a package that brings its binaries, or build the module elsewhere")
process.exit(1)
