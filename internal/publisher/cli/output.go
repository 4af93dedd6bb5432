package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// The formats of answers.
const (
	formatTable = "table"
	formatJSON  = "json"
	formatYAML  = "yaml"
)

// print writes the JSON of an answer in the format that was asked for; table writes it for people.
func (s *session) print(body []byte, table func(out io.Writer, value any) error) error {
	switch s.output {
	case formatJSON:
		text, err := indented(body)
		if err != nil {
			return err
		}
		_, err = s.terminal.Stdout.Write(text)
		return err
	case formatYAML:
		text, err := yaml(body)
		if err != nil {
			return err
		}
		_, err = s.terminal.Stdout.Write(text)
		return err
	}
	value, err := decode(body)
	if err != nil {
		return err
	}
	return table(s.terminal.Stdout, value)
}

// indented returns JSON for people to read, with nothing in it that a terminal obeys. Members keep their place.
func indented(body []byte) ([]byte, error) {
	value := jsontext.Value(body).Clone()
	if err := value.Indent(jsontext.WithIndent("  ")); err != nil {
		return nil, fmt.Errorf("the publisher's answer: %w", err)
	}
	return []byte(visible(string(value)) + "\n"), nil
}

// decode returns the value of JSON, with numbers as they are written.
func decode(body []byte) (any, error) {
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return nil, fmt.Errorf("the publisher's answer: %w", err)
	}
	return value, nil
}

// column is a column of a table, or a line of details: its title, and what stands there for an item.
type column struct {
	title string
	text  func(item any) string
}

// at returns the column of the value at a path.
func at(title, path string) column {
	return column{title, func(item any) string { return cell(find(item, path)) }}
}

// named returns the column of the ids at a path, as the names that the item has for them.
func named(title, path string) column {
	return column{title, func(item any) string {
		if all, ok := find(item, path).([]any); ok {
			texts := make([]any, len(all))
			for i, id := range all {
				texts[i] = nameOf(item, id)
			}
			return cell(texts)
		}
		return cell(nameOf(item, find(item, path)))
	}}
}

// nameOf returns the name that an item has for an id; the id if it has none.
func nameOf(item, id any) any {
	names, _ := find(item, "names").(map[string]any)
	text, _ := id.(string)
	if name, ok := names[text]; ok {
		return name
	}
	return id
}

// list returns what prints the items of a list.
func list(columns ...column) func(io.Writer, any) error {
	return func(out io.Writer, value any) error {
		table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		cells := make([]string, len(columns))
		for i, c := range columns {
			cells[i] = c.title
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
		items, _ := find(value, "items").([]any)
		for _, item := range items {
			for i, c := range columns {
				cells[i] = c.text(item)
			}
			fmt.Fprintln(table, strings.Join(cells, "\t"))
		}
		return table.Flush()
	}
}

// details returns what prints one thing, a line for each column that it has something for.
func details(columns ...column) func(io.Writer, any) error {
	return func(out io.Writer, value any) error {
		table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		for _, c := range columns {
			if text := c.text(value); text != absent {
				fmt.Fprintf(table, "%s\t%s\n", c.title, text)
			}
		}
		return table.Flush()
	}
}

// sentence returns what prints a format with the values at paths.
func sentence(format string, paths ...string) func(io.Writer, any) error {
	return func(out io.Writer, value any) error {
		texts := make([]any, len(paths))
		for i, path := range paths {
			texts[i] = cell(find(value, path))
		}
		_, err := fmt.Fprintf(out, format+"\n", texts...)
		return err
	}
}

// find returns the value at a path of names separated by dots, nil if there is none. The empty path is the value itself.
func find(value any, path string) any {
	if path == "" {
		return value
	}
	for name := range strings.SplitSeq(path, ".") {
		object, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = object[name]
	}
	return value
}

// absent stands in a cell for no value.
const absent = "-"

// cell returns a value as text of one line.
func cell(value any) string {
	switch value := value.(type) {
	case nil:
		return absent
	case string:
		if at, err := time.Parse(time.RFC3339Nano, value); err == nil {
			return at.UTC().Format(time.RFC3339) // seconds are enough for people
		}
		return printable(value)
	case bool:
		return strconv.FormatBool(value)
	case json.Number:
		return value.String()
	case []any:
		texts := make([]string, len(value))
		for i, item := range value {
			texts[i] = cell(item)
		}
		return strings.Join(texts, ", ")
	case map[string]any:
		text, err := json.Marshal(value)
		if err != nil {
			return absent
		}
		return printable(string(text))
	default:
		return printable(fmt.Sprint(value))
	}
}
