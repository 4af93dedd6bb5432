package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/publisher/source"
)

// The formats of what validate finds.
const (
	formatText  = "text"
	formatSARIF = "sarif"
)

func validateCommand() commandline.Invocation {
	var path, with, format, compatibility string
	f := &form{set: config.NewSet("flagside validate", "Checks a flag file, or the files of a directory as one, and says where they are wrong. It asks no publisher. "+
		"The exit code is 9 if there are mistakes; slips that are tolerated are warnings.")}
	f.set.Argument(&path, "PATH", "flagd file, or directory of such files, JSON or YAML").File()
	f.set.File(&with, "with", "", "file or directory with flags and segments that the files may refer to, such as an export of the environment")
	f.set.Choice(&format, "format", formatText, []string{formatText, formatJSON, formatSARIF}, "how it is printed; code hosts show sarif (2.1.0) beside the lines")
	f.set.Choice(&compatibility, "compatibility", "", []string{string(eval.CompatibilityFlagd)}, "whose strictness the files follow")
	return f.local(func(_ context.Context, t commandline.Terminal) error {
		c := eval.Compatibility(compatibility)
		set, err := readWith(path, with, c)
		if err != nil {
			return err
		}
		if err := printFindings(t.Stdout, format, set); err != nil {
			return err
		}
		if n := mistakes(set.Findings); n > 0 {
			return &failure{code: exitInvalid, text: fmt.Sprintf("%s in %s", counted(n, "mistake", "mistakes"), printable(path))}
		}
		return nil
	})
}

// readWith reads the files of a source, which may refer to what other files define.
func readWith(path, with string, c eval.Compatibility) (*source.Set, error) {
	rules := eval.New()
	if with != "" {
		others, err := source.Read(with, rules, c)
		if err == nil {
			err = others.Findings.Err()
		}
		if err != nil {
			return nil, &failure{code: exitInvalid, text: visible(err.Error())}
		}
		rules, _ = rules.Update(others.Documents)
	}
	return source.Read(path, rules, c)
}

func mistakes(all source.Findings) (n int) {
	for _, f := range all {
		if !f.Problem.Warning {
			n++
		}
	}
	return n
}

func printFindings(out io.Writer, format string, set *source.Set) error {
	var answer any
	switch format {
	case formatText:
		return printFindingsText(out, set)
	case formatSARIF:
		answer = sarifOf(set.Findings)
	default:
		answer = findingsOf(set)
	}
	text, err := json.Marshal(answer, jsontext.WithIndent("  "))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, visible(string(text)))
	return err
}

// printFindingsText prints a line for each finding, as compilers write it, and how much is good.
func printFindingsText(out io.Writer, set *source.Set) error {
	for _, f := range set.Findings {
		text := f.Error()
		if f.Problem.Warning {
			text = "warning: " + text
		}
		if _, err := fmt.Fprintln(out, printable(text)); err != nil {
			return err
		}
	}
	if mistakes(set.Findings) > 0 {
		return nil
	}
	flags := 0
	for _, d := range set.Documents {
		if d.Kind == document.KindFlag {
			flags++
		}
	}
	_, err := fmt.Fprintf(out, "%s in %s: good\n", counted(flags, "flag", "flags"), counted(len(set.Files), "file", "files"))
	return err
}

// fileFindings are what validate prints as JSON.
type fileFindings struct {
	Files    []string      `json:"files"`
	Mistakes int           `json:"mistakes"`
	Findings []fileFinding `json:"findings"`
}

type fileFinding struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitzero"`
	Column  int    `json:"column,omitzero"`
	Level   string `json:"level"` // error or warning
	Kind    string `json:"kind,omitempty"`
	Key     string `json:"key,omitempty"`
	Pointer string `json:"pointer,omitempty"`
	Reason  string `json:"reason"`
	Hint    string `json:"hint,omitempty"`
}

func findingsOf(set *source.Set) fileFindings {
	all := fileFindings{Files: set.Files, Mistakes: mistakes(set.Findings), Findings: []fileFinding{}}
	for _, f := range set.Findings {
		all.Findings = append(all.Findings, fileFinding{
			File: f.File, Line: f.Line, Column: f.Column, Level: level(f),
			Kind: string(f.Problem.Kind), Key: f.Problem.Key, Pointer: f.Problem.Pointer, Reason: f.Problem.Reason, Hint: f.Problem.Hint,
		})
	}
	return all
}

func level(f source.Finding) string {
	if f.Problem.Warning {
		return "warning"
	}
	return "error"
}

// characters returns a column that counts characters. Those of JSON count bytes.
func characters(f source.Finding) int {
	if ending := strings.ToLower(f.File); strings.HasSuffix(ending, ".yaml") || strings.HasSuffix(ending, ".yml") {
		return f.Column
	}
	content, err := os.ReadFile(f.File)
	if err != nil {
		return f.Column
	}
	lines := bytes.Split(content, []byte("\n"))
	if f.Line > len(lines) || f.Column-1 > len(lines[f.Line-1]) {
		return f.Column
	}
	return utf8.RuneCount(lines[f.Line-1][:f.Column-1]) + 1
}
