package documented

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/telemetry"
)

// CheckManual fails the test unless the manual of a program has every command and every option, and mandoc finds nothing to warn of in it. Without
// mandoc that is left out.
func CheckManual(t *testing.T, p commandline.Program) {
	t.Helper()
	pages := p.Manual(telemetry.Build{Version: "0.1.0", CommitTime: "2026-01-02T03:04:05Z"})
	texts := make(map[string]string, len(pages))
	for _, page := range pages {
		texts[page.Name] = page.Text
	}
	for _, c := range p.Commands {
		checkPage(t, p, c, texts)
	}
	lint(t, pages)
}

// checkPage looks for a command and its options on its page.
func checkPage(t *testing.T, p commandline.Program, c commandline.Command, texts map[string]string) {
	t.Helper()
	words := append([]string{p.Name}, c.Words...)
	name := strings.Join(words[:min(len(words), 2)], "-") + map[int]string{1: ".1", 8: ".8"}[p.Section]
	text := texts[name]
	if !strings.Contains(text, ".B "+config.Roff(strings.Join(words, " "))+"\n") {
		t.Errorf("%s does not have the command %q", name, c.Name())
	}
	for _, option := range c.New().Set.Options() {
		if !strings.Contains(text, config.Roff("--"+option.Name)) || !strings.Contains(text, config.Roff(option.Usage)) {
			t.Errorf("%s does not have the option --%s of %q", name, option.Name, c.Name())
		}
	}
}

// lint runs mandoc on pages.
func lint(t *testing.T, pages []commandline.ManualPage) {
	t.Helper()
	mandoc, err := exec.LookPath("mandoc")
	if err != nil {
		t.Log("mandoc is not installed: the pages of the manual are not read by it")
		return
	}
	dir := t.TempDir()
	args := []string{"-Tlint", "-Wwarning"}
	for _, page := range pages {
		file := filepath.Join(dir, page.Name)
		if err := os.WriteFile(file, []byte(page.Text), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, file)
	}
	output, err := exec.CommandContext(t.Context(), mandoc, args...).CombinedOutput() //nolint:gosec // the test names the files
	if err != nil || len(output) > 0 {
		t.Errorf("mandoc: %v: %s", err, output)
	}
}
