package cli

import (
	"fmt"

	"github.com/flagside/flagside/internal/handwritten"
)

// yaml returns JSON as YAML, with nothing in it that a terminal obeys.
func yaml(body []byte) ([]byte, error) {
	text, err := handwritten.YAML(body)
	if err != nil {
		return nil, fmt.Errorf("the publisher's answer as YAML: %w", err)
	}
	return []byte(visible(string(text))), nil
}
