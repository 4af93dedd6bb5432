package live

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
)

// maxID bounds the id of an event, in bytes.
const maxID = MaxEnvironments * 32

// separator stands between the revisions of an id.
const separator = ","

// idOf returns the id of an event after which a client knows some revisions: <epoch8>-<revision> of each environment of the stream, in the order in which it
// has named them.
func idOf(tokens []changelog.Token) string {
	texts := make([]string, len(tokens))
	for i, t := range tokens {
		texts[i] = t.String()
	}
	return strings.Join(texts, separator)
}

// parseID reads the id of an event of a stream of as many environments; ok is false for anything else.
func parseID(text string, environments int) (tokens []changelog.Token, ok bool) {
	if len(text) > maxID {
		return nil, false
	}
	texts := strings.Split(text, separator)
	if len(texts) != environments {
		return nil, false
	}
	for _, one := range texts {
		t, err := changelog.ParseToken(one)
		if err != nil {
			return nil, false
		}
		tokens = append(tokens, t)
	}
	return tokens, true
}

// environmentsIn returns the environments that a query names.
func environmentsIn(query url.Values) ([]string, error) {
	names := query["environment"]
	switch {
	case len(names) == 0:
		return nil, errors.New("Name one or several environments, such as ?environment=prod.") //nolint:revive,staticcheck // it is shown as it is
	case len(names) > MaxEnvironments:
		return nil, fmt.Errorf("A stream is about %d environments at most.", MaxEnvironments) //nolint:revive,staticcheck // as above
	}
	for i, name := range names {
		if flagsync.ValidateEnvironment(name) != nil || slices.Contains(names[:i], name) {
			return nil, fmt.Errorf("Environment %.40q is none, or is named twice.", name) //nolint:revive,staticcheck // as above
		}
	}
	return names, nil
}
