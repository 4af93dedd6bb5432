package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// module is a module that programs link, with its licence.
type module struct {
	path, version string
	spdx          string    // the identifier of its licence
	licences      []licence // texts
}

// licence is a file of a module with a licence, or a notice that has to go with it.
type licence struct{ name, text string }

// licencedElsewhere are modules without a licence in them, and under which licence their sources are. buf generates them from what
// github.com/open-feature/flagd has in its folder schemas.
func licencedElsewhere() map[string]string {
	return map[string]string{
		"buf.build/gen/go/open-feature/flagd/connectrpc/go":      "Apache-2.0",
		"buf.build/gen/go/open-feature/flagd/protocolbuffers/go": "Apache-2.0",
	}
}

// listed is what go list tells about a package.
type listed struct {
	Dir      string
	Standard bool
	Module   *struct {
		Path, Version, Dir string
		Main               bool
	}
}

// modules returns the modules that the programs link on a platform, by path, the standard library first.
func (b *build) modules(ctx context.Context, p platform) ([]module, error) {
	told, err := output(ctx, b.root, b.goEnv(p), "go", "list", "-deps", "-json=Dir,Standard,Module", "./cmd/flagside", "./cmd/publisher", "./cmd/sidecar")
	if err != nil {
		return nil, err
	}
	dirs := make(map[string]map[string]string) // licence files by module and name
	versions := make(map[string]string)
	for decoder := json.NewDecoder(strings.NewReader(told)); ; {
		var l listed
		if err := decoder.Decode(&l); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		if l.Standard || l.Module == nil || l.Module.Main {
			continue
		}
		if dirs[l.Module.Path] == nil {
			dirs[l.Module.Path] = make(map[string]string)
		}
		versions[l.Module.Path] = l.Module.Version
		if err := findLicences(l.Module.Dir, l.Dir, dirs[l.Module.Path]); err != nil {
			return nil, err
		}
	}
	standard, err := b.standardLibrary(ctx)
	all := []module{standard}
	for path, files := range dirs {
		m, moduleErr := newModule(path, versions[path], files)
		all, err = append(all, m), errors.Join(err, moduleErr)
	}
	slices.SortFunc(all[1:], func(a, b module) int { return strings.Compare(a.path, b.path) })
	return all, err
}

// licenceName matches the names of files that have to go with a program.
var licenceName = regexp.MustCompile(`(?i)^(licen[cs]e|copying|copyright|notice|patents|unlicense)([.-](txt|md|mit|apache|apache-2\.0|bsd))?$`)

// findLicences adds the files with licences in the folder of a package and in those above it, up to that of its module.
func findLicences(top, dir string, found map[string]string) error {
	for ; ; dir = filepath.Dir(dir) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.IsDir() || !licenceName.MatchString(e.Name()) {
				continue
			}
			name, err := filepath.Rel(top, filepath.Join(dir, e.Name()))
			if err != nil {
				return err
			}
			found[filepath.ToSlash(name)] = filepath.Join(dir, e.Name())
		}
		if dir == top || len(dir) < len(top) {
			return nil
		}
	}
}

// newModule reads the licences of a module.
func newModule(path, version string, files map[string]string) (module, error) {
	m := module{path: path, version: version, spdx: licencedElsewhere()[path]}
	for name, at := range files {
		text, err := os.ReadFile(at)
		if err != nil {
			return m, err
		}
		m.licences = append(m.licences, licence{name, string(text)})
	}
	slices.SortFunc(m.licences, func(a, b licence) int { return strings.Compare(a.name, b.name) })
	for _, l := range m.licences {
		if id := identify(l.text); id != "" && !strings.Contains(l.name, "/") && m.spdx == "" {
			m.spdx = id
		}
	}
	if m.spdx == "" {
		return m, fmt.Errorf("%s: no licence is found in the module: add where it is licensed to licencedElsewhere in build/release/modules.go", path)
	}
	return m, nil
}

// standardLibrary returns Go's own.
func (b *build) standardLibrary(ctx context.Context) (module, error) {
	told, err := output(ctx, b.root, b.env, "go", "env", "GOROOT", "GOVERSION")
	if err != nil {
		return module{}, err
	}
	root, version, _ := strings.Cut(strings.TrimSpace(told), "\n")
	return newModule("std", strings.TrimPrefix(version, "go"), map[string]string{"LICENSE": filepath.Join(root, "LICENSE")})
}

// identify returns the identifier of a licence by its text, empty if it is not known.
func identify(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	for _, known := range []struct{ id, part string }{
		{"Apache-2.0", "Apache License Version 2.0"},
		{"Apache-2.0", "Licensed under the Apache License, Version 2.0"},
		{"MPL-2.0", "Mozilla Public License Version 2.0"},
		{"MPL-2.0", "Mozilla Public License, version 2.0"},
		{"ISC", "Permission to use, copy, modify, and/or distribute this software for any purpose"},
		{"ISC", "Permission to use, copy, modify, and distribute this software for any purpose"},
		{"MIT", "Permission is hereby granted, free of charge, to any person obtaining a copy"},
		{"BSD-3-Clause", "may be used to endorse or promote products"},
		{"BSD-2-Clause", "Redistribution and use in source and binary forms"},
		{"Unlicense", "This is free and unencumbered software released into the public domain"},
		{"CC0-1.0", "CC0 1.0 Universal"},
	} {
		if strings.Contains(text, known.part) {
			return known.id
		}
	}
	return ""
}

// thirdParty returns the licences of modules as one text.
func thirdParty(all []module) []byte {
	var out strings.Builder
	out.WriteString("The programs contain these modules, the Go standard library as std. Below, the licence of each.\n\n")
	for _, m := range all {
		fmt.Fprintf(&out, "%s %s: %s\n", m.path, m.version, m.spdx)
	}
	for _, m := range all {
		fmt.Fprintf(&out, "\n%s\n%s %s\n", strings.Repeat("=", 80), m.path, m.version)
		if len(m.licences) == 0 {
			fmt.Fprintf(&out, "\n%s\n", m.spdx)
		}
		for _, l := range m.licences {
			fmt.Fprintf(&out, "\n---- %s\n\n%s\n", l.name, strings.TrimRight(l.text, "\n"))
		}
	}
	return []byte(out.String())
}
