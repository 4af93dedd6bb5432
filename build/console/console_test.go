package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

// The files that the publisher embeds are what the sources give, byte for byte.
func TestTheBundleIsCurrent(t *testing.T) {
	t.Parallel()
	want, err := bundle(filepath.Join(root, web))
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(root, dist))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if _, ok := want[entry.Name()]; !ok {
			t.Errorf("%s is left from an earlier bundle: go run ./build/console", entry.Name())
		}
	}
	for name, content := range want {
		got, err := os.ReadFile(filepath.Join(root, dist, name))
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s is not what the sources give (%v): go run ./build/console", name, err)
		}
	}
}

// The types are those of the description of the API.
func TestTheTypesAreCurrent(t *testing.T) {
	t.Parallel()
	description, err := os.ReadFile(filepath.Join(root, openAPI))
	if err != nil {
		t.Fatal(err)
	}
	want, err := typesOf(description)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, types))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what %s gives (%v): go run ./build/console", types, openAPI, err)
	}
}

func TestTypesOf(t *testing.T) {
	t.Parallel()
	got, err := typesOf([]byte(`{"components":{"schemas":{"A":{"required":["n"],"properties":{
		"n":{"type":"integer","description":"A number */ of things."},"list":{"type":["array","null"],"items":{"$ref":"#/components/schemas/B"}},
		"map":{"type":"object","additionalProperties":{"type":"string"}},"any":{},"open":{"type":"object","additionalProperties":true},
		"one":{"type":"string","enum":["x","y"]},"yes":{"type":"boolean"}}},"B":{}}}}`))
	const want = `
export interface A {
  /** A number *\/ of things. */
  "n": number;
  "list"?: Array<B>;
  "map"?: { [name: string]: string };
  "any"?: unknown;
  "open"?: { [name: string]: unknown };
  "one"?: "x" | "y";
  "yes"?: boolean;
}

export interface B {
}
`
	if _, text, _ := strings.Cut(string(got), "\n"); err != nil || text != want {
		t.Errorf("%v\n%s", err, text)
	}
}

// A library whose archive is another one, or lacks a file, is refused.
func TestUnpackWantsAllFiles(t *testing.T) {
	t.Parallel()
	if _, err := (library{Files: map[string]string{"a": "b"}}).unpack([]byte("no archive")); err == nil {
		t.Error("what is no archive was unpacked")
	}
}
