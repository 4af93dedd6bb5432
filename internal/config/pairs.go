package config

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
)

// pairsOf returns the pairs of a text by name; see Set.Map.
func pairsOf(text string) (map[string]string, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "{") {
		return membersOf(text)
	}
	items, err := splitPairs(text)
	if err != nil {
		return nil, err
	}
	pairs := make(map[string]string)
	for _, item := range items {
		name, value, found := strings.Cut(item, "=")
		if !found || name == "" {
			return nil, fmt.Errorf("%q is not of the form name=value", item)
		}
		if _, repeated := pairs[name]; repeated {
			return nil, fmt.Errorf("%q is given twice: leave one out", name)
		}
		pairs[name] = value
	}
	return pairs, nil
}

// membersOf returns the members of a JSON object of strings.
func membersOf(text string) (map[string]string, error) {
	var members map[string]*string
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		return nil, fmt.Errorf("%q is no JSON object of strings: %w", text, err)
	}
	pairs := make(map[string]string, len(members))
	for name, value := range members {
		if value == nil {
			return nil, fmt.Errorf("%q is no JSON object of strings: %q is null", text, name)
		}
		pairs[name] = *value
	}
	return pairs, nil
}

// splitPairs separates the pairs of a text as flagd does: at the commas of a line of CSV, unless there is only one pair.
func splitPairs(text string) ([]string, error) {
	if strings.Count(text, "=") <= 1 {
		return []string{strings.Trim(text, `"`)}, nil
	}
	lines := csv.NewReader(strings.NewReader(text))
	lines.TrimLeadingSpace = true
	items, err := lines.Read()
	if err != nil {
		return nil, fmt.Errorf("%q is no list of name=value separated by commas: %w", text, err)
	}
	if _, err := lines.Read(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%q has several lines: separate name=value by commas", text)
	}
	return items, nil
}
