// Command template prints what the chart becomes with a file of values, as helm template does. It is there for tests that cannot import helm.
package main

import (
	"fmt"
	"os"

	"github.com/flagside/flagside/deploy/charttest"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./template VALUES, in deploy/charttest")
		os.Exit(2)
	}
	values, err := charttest.Values(os.Args[1])
	if err == nil {
		var rendered charttest.Rendered
		rendered, err = charttest.Render(values)
		fmt.Print(rendered.Text)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "template:", err)
		os.Exit(1)
	}
}
