package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/admin"
)

// contextLines is how many lines that are the same are shown before and after those that differ.
const contextLines = 3

// side is one of the two documents that are compared.
type side struct {
	name, text string
	revision   string // of the document, if it is one of an environment as it is now
}

func (k kind) diff() commandline.Invocation {
	var key, from, other, file string
	f := newForm(k.one+" diff", "Compares a "+k.one+" as it is now with what it was at a revision, is in another environment, or would be by a file. "+
		"Lines with + are those of --environment now, or those of the file.").inEnvironment()
	k.key(f, &key)
	f.revision(&from, "from", "revision to compare with")
	f.set.String(&other, "with", "", "environment to compare with")
	f.set.File(&file, "file", "", "file with a document to compare with, JSON or YAML; - is standard input").Short("f")
	f.check(func() bool { return len(present(from, other, file)) == 1 }, "say what to compare with: either --from, --with or --file")
	return f.runs(func(ctx context.Context, s *session) error {
		now, err := s.side(ctx, k, f.environment, key)
		if err != nil {
			return err
		}
		before, after := now, now
		switch {
		case from != "":
			before, err = s.past(ctx, k, f.environment, key, from)
		case other != "":
			before, err = s.side(ctx, k, other, key)
		default:
			after, err = s.file(file)
		}
		if err != nil {
			return err
		}
		if before.text == "" && after.text == "" {
			return k.nowhere(key, f.environment, other)
		}
		return s.printDifference(before, after)
	})
}

// nowhere returns the error of a comparison of a document that exists in neither environment. Without another one there is one only.
func (k kind) nowhere(key, environment, other string) error {
	text := fmt.Sprintf("there is no %s %s in %s", k.one, printable(key), strings.Join(present(environment, other), " nor in "))
	return &failure{code: exitNotFound, text: fmt.Sprintf("%s: flagside %s list -e %s lists what there is", text, k.one, environment)}
}

// side reads a document; one that does not exist has no lines.
func (s *session) side(ctx context.Context, k kind, environment, key string) (side, error) {
	found, err := s.do(ctx, admin.Call{Path: k.path(environment, key)})
	if isAbsent(err) {
		return side{name: environment + " (absent)"}, nil
	}
	if err != nil {
		return side{}, err
	}
	text, err := indented(found.Body)
	return side{name: environment + " at " + revision(found.Header), text: string(text), revision: revision(found.Header)}, err
}

// past reads a document as it was at a revision of its environment.
func (s *session) past(ctx context.Context, k kind, environment, key, at string) (side, error) {
	found, err := s.do(ctx, admin.Call{Path: k.path(environment, key, "history"), Query: url.Values{"limit": {pageSize}}})
	if err != nil {
		return side{}, err
	}
	var history struct {
		Items []struct {
			Revision string          `json:"revision"`
			Document json.RawMessage `json:"document"`
		} `json:"items"`
	}
	if err := json.Unmarshal(found.Body, &history); err != nil {
		return side{}, fmt.Errorf("the publisher's answer: %w", err)
	}
	for _, change := range history.Items {
		if change.Revision != at {
			continue
		}
		if change.Document == nil {
			return side{name: environment + " at " + at + " (absent)"}, nil
		}
		text, err := indented(change.Document)
		return side{name: environment + " at " + at, text: string(text)}, err
	}
	return side{}, &failure{code: exitNotFound, text: fmt.Sprintf("%s %s was not changed at revision %s: see its history", k.one, printable(key), at)}
}

func (s *session) file(name string) (side, error) {
	document, err := s.readDocument(name)
	if err != nil {
		return side{}, err
	}
	text, err := indented(document.JSON())
	if err != nil {
		return side{}, err
	}
	if name == "-" {
		name = standardInput
	}
	return side{name: name, text: string(text)}, nil
}

// printDifference prints two documents as a unified difference, or as both of them in JSON and YAML.
func (s *session) printDifference(before, after side) error {
	if s.output == formatTable {
		_, err := fmt.Fprint(s.terminal.Stdout, difference(before, after))
		return err
	}
	body, err := json.Marshal(map[string]any{
		"differ": before.text != after.text, "before": doc(before.text), "after": doc(after.text),
	})
	if err != nil {
		return err
	}
	return s.print(body, nil)
}

// document returns text as JSON, null for none.
func doc(text string) json.RawMessage {
	if text == "" {
		return json.RawMessage("null")
	}
	return json.RawMessage(text)
}

// line is a line of a difference: ' ' in both, '-' before, '+' after.
type line struct {
	sign byte
	text string
}

// difference returns what differs in the form that diff -u made common, without line numbers; nothing if nothing does.
func difference(before, after side) string {
	if before.text == after.text {
		return ""
	}
	all := compare(splitLines(before.text), splitLines(after.text))
	var out strings.Builder
	fmt.Fprintf(&out, "--- %s\n+++ %s\n", printable(before.name), printable(after.name))
	shown := -1
	for i, l := range all {
		if !near(all, i) {
			continue
		}
		if shown != i-1 {
			out.WriteString("...\n")
		}
		shown = i
		fmt.Fprintf(&out, "%c %s\n", l.sign, printable(l.text))
	}
	return out.String()
}

func splitLines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// near reports whether a line differs or is close to one that does.
func near(all []line, i int) bool {
	for j := max(0, i-contextLines); j <= min(len(all)-1, i+contextLines); j++ {
		if all[j].sign != ' ' {
			return true
		}
	}
	return false
}

// compare returns a shortest way from one list of lines to another, by their longest common subsequence. What both begin and end with is
// set aside first, so that large documents that differ little cost little.
func compare(before, after []string) []line {
	var head, tail []line
	for len(before) > 0 && len(after) > 0 && before[0] == after[0] {
		head = append(head, line{' ', before[0]})
		before, after = before[1:], after[1:]
	}
	for len(before) > 0 && len(after) > 0 && before[len(before)-1] == after[len(after)-1] {
		tail = append(tail, line{' ', before[len(before)-1]})
		before, after = before[:len(before)-1], after[:len(after)-1]
	}
	all := append(head, differing(before, after)...)
	for _, l := range slices.Backward(tail) {
		all = append(all, l)
	}
	return all
}

// maxCells bounds the work of one comparison. Beyond it everything is shown as replaced.
const maxCells = 4 << 20

func differing(before, after []string) []line {
	var all []line
	common := longest(before, after)
	i, j := 0, 0
	for i < len(before) || j < len(after) {
		switch {
		case common != nil && i < len(before) && j < len(after) && before[i] == after[j]:
			all = append(all, line{' ', before[i]})
			i, j = i+1, j+1
		case j == len(after) || i < len(before) && (common == nil || common[i+1][j] >= common[i][j+1]):
			all = append(all, line{'-', before[i]})
			i++
		default:
			all = append(all, line{'+', after[j]})
			j++
		}
	}
	return all
}

// longest returns, for each pair of tails, the length of their longest common subsequence; nil if there are too many.
func longest(before, after []string) [][]int {
	if len(before)*len(after) > maxCells {
		return nil
	}
	common := make([][]int, len(before)+1)
	common[len(before)] = make([]int, len(after)+1)
	for i := len(before) - 1; i >= 0; i-- {
		common[i] = make([]int, len(after)+1)
		for j := len(after) - 1; j >= 0; j-- {
			common[i][j] = max(common[i+1][j], common[i][j+1])
			if before[i] == after[j] {
				common[i][j] = common[i+1][j+1] + 1
			}
		}
	}
	return common
}
