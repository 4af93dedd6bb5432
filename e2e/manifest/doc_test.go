// Package manifest_test has OpenFeature's own command line pull, compare, push and generate against a publisher, and asks a sidecar by the accessors
// that it generates. It is a module of its own, so that the products do not get the dependencies of that command line.
package manifest_test

import (
	_ "github.com/open-feature/go-sdk-contrib/providers/ofrep" // what testdata/app is made of
	_ "github.com/open-feature/go-sdk/openfeature"
)
