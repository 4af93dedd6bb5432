package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/client"
)

// explainTimeout bounds a question to a sidecar.
const explainTimeout = 15 * time.Second

// targetingKey is the member of a context that tells users apart.
const targetingKey = "targetingKey"

func flagEvaluate() commandline.Invocation {
	var key, sidecar string
	var given map[string]string
	f := newForm("flag evaluate", "Says what a flag answers for a context, and why. It evaluates the flags that the publisher has now, or with --sidecar asks "+
		"what a sidecar answers.")
	f.where = f.set.String(&f.environment, "environment", "", "environment of the flag; not needed with --sidecar").Short("e").Of(namesEnvironment)
	flagKind().key(f, &key)
	f.set.Map(&given, "context", "member of the context, such as targetingKey=u1 or age=30; a value that is JSON, such as 3 or true, is taken as JSON, except that of targetingKey; may be repeated")
	f.set.String(&sidecar, "sidecar", "", "management address of the sidecar to ask, such as http://127.0.0.1:8014")
	f.check(func() bool { return sidecar != "" || f.environment != "" }, "say which environment with --environment, or which sidecar with --sidecar")
	return f.runs(func(ctx context.Context, s *session) error {
		evaluation := evaluationContext(given)
		if sidecar != "" {
			return s.explainAt(ctx, sidecar, key, evaluation)
		}
		return s.explainHere(ctx, f.environment, key, evaluation)
	})
}

// evaluationContext returns members as a JSON object.
func evaluationContext(given map[string]string) jsontext.Value {
	var names []string
	var values []jsontext.Value
	for name, text := range given {
		value := jsontext.Value(text)
		if !value.IsValid() || name == targetingKey && value.Kind() != '"' { // which applications send as text
			value = quoted(text)
		}
		names, values = append(names, name), append(values, value)
	}
	return object(names, values)
}

// explainHere evaluates the documents that the publisher has.
func (s *session) explainHere(ctx context.Context, environment, key string, evaluation jsontext.Value) error {
	rules, err := s.rules(ctx, environment)
	if err != nil {
		return err
	}
	flag := rules.Flag(key)
	if flag == nil {
		_, _, err := s.client.Document(ctx, environment, flagKind().id(key)) // which says that it does not exist
		return err
	}
	var c eval.Context
	if err := rules.DecodeContext(&c, evaluation); err != nil {
		return &failure{code: exitInvalid, text: visible(err.Error())}
	}
	e := flag.Explain(&c, time.Now())
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return s.printExplanation(body, e)
}

// rules compiles the documents of an environment.
func (s *session) rules(ctx context.Context, environment string) (*eval.Ruleset, error) {
	var documents []document.Document
	body, _, err := s.client.Document(ctx, environment, settingsID())
	switch {
	case err == nil:
		documents = append(documents, document.Document{Kind: document.KindSettings, Key: document.SettingsKey, Body: body})
	case !isAbsent(err):
		return nil, err
	}
	for _, kind := range []document.Kind{document.KindSegment, document.KindFlag} {
		all, err := s.client.AllDocuments(ctx, environment, kind)
		if err != nil {
			return nil, err
		}
		for _, d := range all {
			documents = append(documents, document.Document{Kind: kind, Key: d.Key, Body: d.Document})
		}
	}
	rules, _ := eval.New().Update(documents) // what cannot be used answers so
	return rules, nil
}

// explainAt asks a sidecar.
func (s *session) explainAt(ctx context.Context, sidecar, key string, evaluation jsontext.Value) error {
	ctx, cancel := context.WithTimeout(ctx, explainTimeout)
	defer cancel()
	c, err := client.New(client.Options{Address: strings.TrimRight(sidecar, "/")})
	if err != nil {
		return fmt.Errorf("--sidecar: %w", err)
	}
	found, err := c.Explain(ctx, key, evaluation)
	if err != nil {
		return &failure{code: exitUnavailable, text: visible("the sidecar does not answer: " + reasonOf(err))}
	}
	said := fmt.Sprintf("the sidecar answers %d %s: %s", found.Status, http.StatusText(found.Status), found.Body)
	switch {
	case found.Status == http.StatusNotFound && bytes.Contains(found.Body, []byte("the flag does not exist")):
		return &failure{code: exitNotFound, text: visible(fmt.Sprintf("the sidecar has no flag %q", key))}
	case found.Status == http.StatusNotFound:
		return &failure{code: exitFailure, text: "this is not the management address of a sidecar: it has no /explain/"}
	case found.Status == http.StatusBadRequest:
		return &failure{code: exitInvalid, text: visible(said)}
	case found.Status != http.StatusOK:
		return &failure{code: exitFailure, text: visible(said)}
	}
	var answer struct {
		Explanation *eval.Explanation `json:"explanation"`
	}
	if err := json.Unmarshal(found.Body, &answer); err != nil || answer.Explanation == nil {
		return errors.New("the sidecar's answer is no explanation: is this its management address?")
	}
	return s.printExplanation(found.Body, *answer.Explanation)
}

// printExplanation prints the whole answer, or for people what a flag answers, and why.
func (s *session) printExplanation(whole jsontext.Value, e eval.Explanation) error {
	answer := "the default of the application"
	if e.Variant != "" {
		answer = printable(e.Variant)
	}
	if value := valueCell(jsontext.Value(e.Value)); value != absent {
		answer += " = " + value
	}
	var prerequisites []string
	for _, p := range e.Prerequisites {
		state := "met"
		if !p.Met {
			state = "not met"
		}
		prerequisites = append(prerequisites, printable(p.Explanation.Flag)+" is "+state)
	}
	return s.print(whole, details(
		detail{"answer", answer}, detail{"reason", cell(string(e.Reason))}, detail{"error", cell(string(e.ErrorCode))}, detail{"details", cell(e.Detail)},
		detail{"prerequisites", some(prerequisites)},
	))
}
