package configfile_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/publisher/configfile"
)

type written struct {
	Things []struct {
		Name   string `json:"name"`
		Secret string `json:"secretFile"`
	} `json:"things"`
}

func entries() configfile.Entries {
	return configfile.Entries{One: "thing", Many: "things", Members: "a thing has name and secretFile", Names: regexp.MustCompile(`^[a-z]+$`)}
}

// parse returns the secrets.
func parse(name string, content []byte, read configfile.Read) ([]string, error) {
	return configfile.Parse(name, content, entries(), read, func(w written, read configfile.Read) (all []string, err error) {
		for i, one := range w.Things {
			content, err := read(one.Secret)
			if err != nil {
				return nil, entries().At(i, one.Name, configfile.Wrong("secretFile", "%w", err))
			}
			all = append(all, string(content))
		}
		return all, nil
	})
}

// A file of real files is read, and whatever stands where the name of a file belongs, no error shows it unless there is such a file.
func TestOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put := func(name, content string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	put("secret", "s3cr3t", 0o600)
	put("open", "s3cr3t", 0o666)
	put("large", strings.Repeat("x", 1<<20+1), 0o600)
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "things.yaml")
	f := func(content, want string) {
		t.Helper()
		put("things.yaml", content, 0o600)
		opened, err := configfile.Open(file, entries(), parse, zerolog.Nop())
		if want == "" {
			if err != nil || len(opened.Current()) != 1 || opened.Current()[0] != "s3cr3t" {
				t.Errorf("%s: %v", content, err)
			}
			return
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") || !strings.HasPrefix(err.Error(), "things: ") {
			t.Errorf("%.200s: %.500v, want %s", content, err, want)
		}
	}
	const head = "things:\n- name: a\n  secretFile: "
	f(head+"secret", "")
	f(head+filepath.Join(dir, "secret"), "")
	f(head+"canary", "3:15: thing a: no file has this name")
	f(head+"secret/canary", "3:15: thing a: the file cannot be read: not a directory")
	f(head+strings.Repeat("canary", 1000), "3:15: thing a: the file cannot be read: file name too long")
	f(head+"\"canary\\0\"", "3:15: thing a: the file cannot be read: invalid argument")
	f(head+"https://canary", "3:15: thing a: this is no name of a file")
	f(head+"folder", "3:15: thing a: ")
	f(head+"open", "open")
	f(head+"large", "more than 1048576 bytes")
	f("things:\n- name: CANARY\n  secretFile: canary", "3:15: thing number 1: ")
	f("things:\n- name: a\n  canary: x", "unknown member: a thing has name and secretFile")
	f("\"canary\"", "another type of value")
	f("{canary", "this is not YAML")
}
