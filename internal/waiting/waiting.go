// Package waiting lets tests run beside each other that wait more than they compute: for leaders, polls and deadlines.
package waiting

import (
	"flag"
	"strconv"
)

const parallel = "test.parallel"

// Beside sets how many parallel tests of a package run at once, unless the command line does or they are slowed down by the race detector. The
// usual number is that of the processors, which tests that wait leave idle. A TestMain calls it before it runs the tests.
func Beside(tests int) {
	if RaceDetector {
		return
	}
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == parallel })
	if !given {
		_ = flag.Set(parallel, strconv.Itoa(tests)) // fails where there are no tests
	}
}
