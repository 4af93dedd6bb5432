// Command generate writes a made-up flag file with any number of flags:
//
//	go run ./examples/generate -n 10000 -seed 1 > flags.json
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/flagside/flagside/examples/flagset"
)

func main() {
	n := flag.Int("n", 1000, "number of flags")
	seed := flag.Uint64("seed", 1, "the same number and seed give the same file")
	flag.Parse()
	if *n < 0 || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "generate: -n must not be negative, and there are no arguments")
		os.Exit(2)
	}
	if _, err := os.Stdout.Write(flagset.Generate(*n, *seed)); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}
