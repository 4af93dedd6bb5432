package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/references"
)

func referenceCommands() []commandline.Command {
	return []commandline.Command{command("refs scan", "find the places in source code that name the flags of an environment", refsScan)}
}

func refsScan() commandline.Invocation {
	var folder, patterns, report string
	var exclude []string
	f := newForm("refs scan", "Finds the places in source code that name the flags of an environment, and the flags that nothing names. "+
		"A key counts where it stands for itself: new-checkout does not name checkout. In a git checkout, files that git ignores are left out, "+
		"and vendored code is left out everywhere.").inEnvironment()
	f.set.Argument(&folder, "FOLDER", "folder with the source code")
	f.set.List(&exclude, "exclude", nil, "pattern of names, or of paths below FOLDER, to leave out, such as *.md or docs/old")
	f.set.File(&patterns, "patterns", "", "file with regular expressions, one a line, that capture a key in parentheses, such as isOn\\(\"([^\"]+)\"\\); "+
		"with it only what they capture counts, and keys that no flag has are listed too")
	f.set.File(&report, "report", "", "file to write the places to; flag archive and flag delete read it by --references")
	return f.runs(func(ctx context.Context, s *session) error {
		wanted, err := readPatterns(patterns)
		if err != nil {
			return err
		}
		flags, err := s.client.AllDocuments(ctx, f.environment, document.KindFlag)
		if err != nil {
			return err
		}
		o := references.Options{Patterns: wanted, Exclude: exclude}
		for _, flag := range flags {
			o.Keys = append(o.Keys, flag.Key)
		}
		found, err := references.Scan(ctx, folder, o)
		if err != nil {
			return &failure{code: exitInvalid, text: err.Error()}
		}
		text, err := found.Encode()
		if err != nil {
			return err
		}
		if report != "" {
			if err := os.WriteFile(report, text, 0o644); err != nil { //nolint:gosec // for others to read; it holds no secret
				return err
			}
		}
		return s.print(jsontext.Value(text), func(out io.Writer) error { return referencesTable(out, found) })
	})
}

// readPatterns returns the lines of a file, without comments; none if no file is named.
func readPatterns(file string) (patterns []string, err error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file) // #nosec G304 -- a file that the caller names
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			patterns = append(patterns, line)
		}
	}
	if patterns == nil {
		return nil, &failure{code: exitInvalid, text: file + " has no pattern: write one regular expression a line"}
	}
	return patterns, nil
}

// referencesTable shows where flags are named: first those that are not.
func referencesTable(out io.Writer, r references.Report) error {
	row := func(places references.Places, key string) []string {
		if len(places) == 0 {
			return []string{cell(key), "0", "0", absent}
		}
		return []string{cell(key), decimal(places.Files()), decimal(len(places)), cell(places[0].String())}
	}
	keys := slices.SortedFunc(maps.Keys(r.Flags), func(a, b string) int {
		if named := min(len(r.Flags[a]), 1) - min(len(r.Flags[b]), 1); named != 0 {
			return named
		}
		return strings.Compare(a, b)
	})
	if err := list("KEY|FILES|PLACES|FIRST", keys, func(key string) []string { return row(r.Flags[key], key) })(out); err != nil {
		return err
	}
	if len(r.Unknown) > 0 {
		fmt.Fprintln(out, "\nnamed in code, and no flag here:")
		unknown := slices.Sorted(maps.Keys(r.Unknown))
		if err := list("KEY|FILES|PLACES|FIRST", unknown, func(key string) []string { return row(r.Unknown[key], key) })(out); err != nil {
			return err
		}
	}
	for _, left := range r.Left {
		fmt.Fprintf(out, "not read: %s: %s\n", printable(left.File), printable(left.Reason))
	}
	_, err := fmt.Fprintf(out, "\nread %s\n", numberOfFiles(r.Files))
	return err
}

// referencesOption declares the option by which a command that removes a flag learns whether code still names it.
func (k kind) referencesOption(f *form, file *string) {
	if k.id("").Kind == document.KindFlag {
		f.set.File(file, "references", "", "file that flagside refs scan wrote; a flag that code still names is not removed")
	}
}

// inUseOption declares the option by which a command removes a flag that applications use.
func (k kind) inUseOption(f *form, w *changeFlags) {
	if k.id("").Kind == document.KindFlag {
		f.set.Bool(&w.inUse, "in-use", false, "remove the flag although applications asked for it in the last 7 days; flagside usage shows which did")
	}
}

// unreferenced refuses to remove a flag that code still names, by a report of that; it does nothing without one.
func unreferenced(file, key string) error {
	if file == "" {
		return nil
	}
	report, err := references.ReadReport(file)
	if err != nil {
		return &failure{code: exitInvalid, text: err.Error()}
	}
	places, looked := report.Of(key)
	switch {
	case !looked:
		return &failure{code: exitInvalid, text: fmt.Sprintf("%s does not say whether code names flag %s: run flagside refs scan again, in an environment that has it", file, printable(key))}
	case len(places) == 0 && len(report.Left) > 0:
		return &failure{code: exitConflict, text: fmt.Sprintf("%s does not say whether code names flag %s, because %s was not read: %s\nmend that or leave it out with --exclude, "+
			"and scan again; leave --references out to remove the flag anyway", file, printable(key), printable(report.Left[0].File), printable(report.Left[0].Reason))}
	case len(places) == 0:
		return nil
	}
	shown := make([]string, 0, shownEffects)
	for _, place := range places[:min(len(places), shownEffects)] {
		shown = append(shown, "\n  "+printable(place.String()))
	}
	if more := len(places) - len(shown); more > 0 {
		shown = append(shown, fmt.Sprintf("\n  and %d more", more))
	}
	return &failure{code: exitConflict, text: fmt.Sprintf("flag %s is still named in %s of code:%s\nremove these first, and scan again; leave --references out to remove the flag anyway",
		printable(key), numberOfFiles(places.Files()), strings.Join(shown, ""))}
}

func numberOfFiles(n int) string {
	if n == 1 {
		return "1 file"
	}
	return decimal(n) + " files"
}
