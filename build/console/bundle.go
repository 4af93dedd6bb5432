package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
	"github.com/go-json-experiment/json"
)

// modules are the names that sources import, and the files of web/vendor that they mean.
var modules = map[string]string{
	"preact":                     "preact.js",
	"preact/hooks":               "preact-hooks.js",
	"preact/jsx-runtime":         "preact-jsx-runtime.js",
	"@preact/signals":            "preact-signals.js",
	"@preact/signals-core":       "preact-signals-core.js",
	"@codemirror/state":          "codemirror-state.js",
	"@codemirror/view":           "codemirror-view.js",
	"@codemirror/language":       "codemirror-language.js",
	"@codemirror/commands":       "codemirror-commands.js",
	"@codemirror/lint":           "codemirror-lint.js",
	"@codemirror/lang-json":      "codemirror-lang-json.js",
	"@codemirror/streamparser":   "codemirror-streamparser.js",
	"@lezer/common":              "lezer-common.js",
	"@lezer/lr":                  "lezer-lr.js",
	"@lezer/highlight":           "lezer-highlight.js",
	"@lezer/json":                "lezer-json.js",
	"style-mod":                  "style-mod.js",
	"w3c-keyname":                "w3c-keyname.js",
	"crelt":                      "crelt.js",
	"@marijn/find-cluster-break": "marijn-find-cluster-break.js",
	"uplot":                      "uplot.js",
}

// bundle returns the files of the page by name, with a hash of their content in all names but index.html and licenses.txt. The same sources give the same bytes.
func bundle(sources string) (map[string][]byte, error) {
	sources, err := filepath.Abs(sources)
	if err != nil {
		return nil, err
	}
	alias := make(map[string]string, len(modules))
	for name, file := range modules {
		alias[name] = filepath.Join(sources, "vendor", file)
	}
	result := api.Build(api.BuildOptions{
		AbsWorkingDir:     sources,
		EntryPoints:       []string{"main.tsx", "styles/main.css"},
		EntryNames:        "[name]-[hash]",
		ChunkNames:        "chunk-[hash]",
		Outdir:            filepath.Join(sources, "dist"), // nothing is written there
		Alias:             alias,
		Bundle:            true,
		Splitting:         true,
		Format:            api.FormatESModule,
		Target:            api.ES2022,
		JSX:               api.JSXAutomatic,
		JSXImportSource:   "preact",
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,
		Charset:           api.CharsetUTF8,
		LegalComments:     api.LegalCommentsNone,
		TsconfigRaw:       "{}", // whatever lies in folders above
		LogLevel:          api.LogLevelSilent,
		Metafile:          true,
	})
	if len(result.Errors) != 0 || len(result.Warnings) != 0 {
		text := api.FormatMessages(append(result.Errors, result.Warnings...), api.FormatMessagesOptions{})
		return nil, errors.New("bundle " + sources + ":\n" + strings.Join(text, ""))
	}
	files := map[string][]byte{}
	for _, f := range result.OutputFiles {
		files[filepath.Base(f.Path)] = f.Contents
	}
	parts, err := partsOf(result.Metafile)
	if err != nil {
		return nil, err
	}
	if files["index.html"], err = index(filepath.Join(sources, "index.html"), files, parts); err != nil {
		return nil, err
	}
	files["licenses.txt"], err = licenses(filepath.Join(sources, "vendor"))
	return files, err
}

// licenses returns the licences of the libraries, which go where their code goes.
func licenses(folder string) ([]byte, error) {
	names, err := filepath.Glob(filepath.Join(folder, "*.license"))
	if err != nil {
		return nil, err
	}
	var all bytes.Buffer
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&all, "%s\n\n%s\n", strings.TrimSuffix(filepath.Base(name), ".license"), text)
	}
	return all.Bytes(), nil
}

// partsOf returns the files that the script of the first page imports before it runs, in the order of their names.
func partsOf(metafile string) ([]string, error) {
	var built struct {
		Outputs map[string]struct {
			Imports []struct {
				Path string `json:"path"`
				Kind string `json:"kind"`
			} `json:"imports"`
		} `json:"outputs"`
	}
	if err := json.Unmarshal([]byte(metafile), &built); err != nil {
		return nil, err
	}
	found := map[string]bool{}
	var follow func(file string)
	follow = func(file string) {
		for _, i := range built.Outputs[file].Imports {
			if i.Kind == "import-statement" && !found[i.Path] {
				found[i.Path] = true
				follow(i.Path)
			}
		}
	}
	for file := range built.Outputs {
		if strings.HasPrefix(filepath.Base(file), "main-") {
			follow(file)
		}
	}
	var parts []string
	for file := range found {
		parts = append(parts, filepath.Base(file))
	}
	slices.Sort(parts)
	return parts, nil
}

// index returns the page that loads the bundle. It names the parts of its script, so that these come together with it.
func index(template string, files map[string][]byte, parts []string) ([]byte, error) {
	page, err := os.ReadFile(template)
	if err != nil {
		return nil, err
	}
	for _, extension := range []string{".js", ".css"} {
		place, name := []byte("main"+extension), ""
		for file := range files {
			if strings.HasPrefix(file, "main-") && strings.HasSuffix(file, extension) {
				name = file
			}
		}
		if name == "" || bytes.Count(page, place) != 1 {
			return nil, fmt.Errorf("%s: name %s once, which the bundle replaces by its own", template, place)
		}
		page = bytes.Replace(page, place, []byte("assets/"+name), 1)
	}
	var preloads bytes.Buffer
	for _, part := range parts {
		fmt.Fprintf(&preloads, "<link rel=\"modulepreload\" href=\"/console/assets/%s\">\n", part)
	}
	return bytes.Replace(page, []byte("</head>"), append(preloads.Bytes(), "</head>"...), 1), nil
}
