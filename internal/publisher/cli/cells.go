package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/internal/publisher/api"
)

// absent stands in a cell for no value.
const absent = "-"

// cell returns a text of the API as text of one line.
func cell(text string) string {
	if text == "" {
		return absent
	}
	return printable(text)
}

// cells returns texts as text of one line. An empty list is empty, and no list is absent.
func cells(texts []string) string {
	if texts == nil {
		return absent
	}
	return printable(strings.Join(texts, ", "))
}

// timeCell returns a time to the second, which is enough for people.
func timeCell(at time.Time) string {
	if at.IsZero() {
		return absent
	}
	return at.UTC().Format(time.RFC3339)
}

// countCell returns a number for which 0 is absent.
func countCell[N int | int64 | uint64](n N) string {
	if n == 0 {
		return absent
	}
	return decimal(n)
}

// decimal returns a number as text.
func decimal[N int | int64 | uint64](n N) string { return fmt.Sprint(n) }

// flagCell returns a boolean for which false is absent.
func flagCell(is bool) string {
	if !is {
		return absent
	}
	return strconv.FormatBool(is)
}

// valueCell returns a JSON value as text of one line.
func valueCell(value jsontext.Value) string {
	switch value.Kind() {
	case '"':
		text, _ := unquoted(value)
		if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
			return timeCell(at)
		}
		return printable(text)
	case '[':
		var all []jsontext.Value
		if err := json.Unmarshal(value, &all); err != nil {
			return absent
		}
		texts := make([]string, len(all))
		for i, item := range all {
			texts[i] = valueCell(item)
		}
		return strings.Join(texts, ", ")
	case 0, 'n':
		return absent
	default:
		compact := value.Clone()
		if err := compact.Compact(); err != nil {
			return absent
		}
		return printable(string(compact))
	}
}

// nameCell returns the name for an id; the id if there is none.
func nameCell(names api.Names, id string) string {
	if name, ok := names[id]; ok {
		return printable(name)
	}
	return cell(id)
}

// nameCells returns the names for ids.
func nameCells(names api.Names, ids []string) string {
	if len(ids) == 0 {
		return absent
	}
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = nameCell(names, id)
	}
	return strings.Join(texts, ", ")
}

// some returns the first of several texts, and how many more there are.
func some(texts []string) string {
	if len(texts) == 0 {
		return absent
	}
	if len(texts) > 3 {
		texts = append(texts[:2], fmt.Sprintf("%d more", len(texts)-2))
	}
	return strings.Join(texts, ", ")
}

// present returns the texts that are not empty.
func present(texts ...string) []string {
	var list []string
	for _, text := range texts {
		if text != "" {
			list = append(list, text)
		}
	}
	return list
}

// words returns the texts that are not empty, as one of one line.
func words(texts ...string) string { return printable(strings.Join(present(texts...), " ")) }

// remark returns what else there is to know in a line.
func remark(texts ...string) string {
	if all := present(texts...); len(all) > 0 {
		return printable(strings.Join(all, "; "))
	}
	return absent
}
