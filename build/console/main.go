// Command console makes what the publisher embeds as its web page, without Node.js: it bundles internal/publisher/console/web into
// internal/publisher/console/dist, and writes the types of the API from api/openapi.json. Run it in the root of the repository:
//
//	go run ./build/console           # after a change of the sources or of the API
//	go run ./build/console -vendor   # after a change of web/vendor/packages.json, by npm
//	go run ./build/console -check    # checks the types of the sources, by the compiler of TypeScript, which npm gets into the user's cache
//	go run ./build/console -figures  # runs the tests of the page
//	go run ./build/console -axe      # fetches axe-core for the tests of the page into the user's cache, by npm
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

const (
	web     = "internal/publisher/console/web"
	dist    = "internal/publisher/console/dist"
	openAPI = "api/openapi.json"
	types   = web + "/api/types.ts"
)

func main() {
	vendored := flag.Bool("vendor", false, "fetch the libraries again that web/vendor/packages.json names")
	checks := flag.Bool("axe", false, "fetch the accessibility checks of the tests, and do nothing else")
	typed := flag.Bool("check", false, "check the types of the sources, and do nothing else")
	figures := flag.Bool("figures", false, "run the tests of the page and tell what they found, and do nothing else")
	flag.Parse()
	work := func() error { return run(context.Background(), ".", *vendored) }
	switch {
	case *checks:
		work = func() error { return fetchAxe(context.Background()) }
	case *typed:
		work = func() error { return check(context.Background(), ".") }
	case *figures:
		work = func() error { return measure(context.Background()) }
	}
	if err := work(); err != nil {
		fmt.Fprintln(os.Stderr, "console:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, root string, vendored bool) error {
	if vendored {
		if err := vendor(ctx, filepath.Join(root, web, "vendor")); err != nil {
			return err
		}
	}
	description, err := os.ReadFile(filepath.Join(root, openAPI))
	if err != nil {
		return err
	}
	text, err := typesOf(description)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(root, types), text, 0o644); err != nil { //nolint:gosec // source, for everyone to read
		return err
	}
	files, err := bundle(filepath.Join(root, web))
	if err != nil {
		return err
	}
	return replace(filepath.Join(root, dist), files)
}

// replace makes a folder have these files and no others.
func replace(folder string, files map[string][]byte) error {
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // source, for everyone to read
		return err
	}
	var failed error
	for name, content := range files {
		failed = errors.Join(failed, os.WriteFile(filepath.Join(folder, name), content, 0o644)) //nolint:gosec // as above
	}
	return failed
}
