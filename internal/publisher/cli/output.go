package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The formats of answers.
const (
	formatTable = "table"
	formatJSON  = "json"
	formatYAML  = "yaml"
)

// print writes an answer in the format that was asked for: as the JSON of the API, or by table for people.
func (s *session) print(answer any, table func(out io.Writer) error) error {
	if s.output == formatTable {
		return table(s.terminal.Stdout)
	}
	body, err := json.Marshal(answer, jsontext.PreserveRawStrings(true))
	if err != nil {
		return fmt.Errorf("the publisher's answer: %w", err)
	}
	format := indented
	if s.output == formatYAML {
		format = yaml
	}
	text, err := format(body)
	if err != nil {
		return err
	}
	_, err = s.terminal.Stdout.Write(text)
	return err
}

// answer prints what a call has answered, unless it failed.
func (s *session) answer(found any, err error, table func(out io.Writer) error) error {
	if err != nil {
		return err
	}
	return s.print(found, table)
}

// indented returns JSON for people to read, with nothing in it that a terminal obeys. Members keep their place.
func indented(body []byte) ([]byte, error) {
	value := jsontext.Value(body).Clone()
	if err := value.Indent(jsontext.WithIndent("  ")); err != nil {
		return nil, fmt.Errorf("the publisher's answer: %w", err)
	}
	return []byte(visible(string(value)) + "\n"), nil
}

// items is a list that is printed as the API answers with lists.
type items[T any] struct {
	Items []T `json:"items"`
}

// list returns what prints items in lines, with a cell for each title. Titles are separated by bars.
func list[T any](titles string, items []T, cells func(T) []string) func(io.Writer) error {
	return func(out io.Writer) error {
		table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, strings.ReplaceAll(titles, "|", "\t"))
		for _, item := range items {
			fmt.Fprintln(table, strings.Join(cells(item), "\t"))
		}
		return table.Flush()
	}
}

// detail is a line about one thing.
type detail struct{ title, text string }

// details returns what prints one thing, a line for each detail that there is something for.
func details(all ...detail) func(io.Writer) error {
	return func(out io.Writer) error {
		table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		for _, d := range all {
			if d.text != absent {
				fmt.Fprintf(table, "%s\t%s\n", d.title, d.text)
			}
		}
		return table.Flush()
	}
}

// sentence returns what prints a format with cells.
func sentence(format string, cells ...any) func(io.Writer) error {
	return func(out io.Writer) error {
		_, err := fmt.Fprintf(out, format+"\n", cells...)
		return err
	}
}
