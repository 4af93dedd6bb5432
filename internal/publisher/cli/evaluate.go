package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/admin"
)

// explainTimeout bounds a question to a sidecar, and maxExplanation its answer in bytes.
const (
	explainTimeout = 15 * time.Second
	maxExplanation = 16 << 20
)

// targetingKey is the member of a context that tells users apart.
const targetingKey = "targetingKey"

func flagEvaluate() commandline.Invocation {
	var key, sidecar string
	var given map[string]string
	f := newForm("flag evaluate", "Says what a flag answers for a context, and why. It evaluates the flags that the publisher has now, or with --sidecar asks "+
		"what a sidecar answers.")
	f.where = f.set.String(&f.environment, "environment", "", "environment of the flag; not needed with --sidecar").Short("e").Of(namesEnvironment)
	flagKind().key(f, &key)
	f.set.Map(&given, "context", "member of the context, such as targetingKey=u1, which is text; of others, what reads as JSON, such as 3 or true, is that; may be repeated")
	f.set.String(&sidecar, "sidecar", "", "management address of a sidecar that is asked, such as http://127.0.0.1:8016")
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
		_, err := s.do(ctx, admin.Call{Path: flagKind().path(environment, key)}) // which says that it does not exist
		return err
	}
	var c eval.Context
	if err := rules.DecodeContext(&c, evaluation); err != nil {
		return &failure{code: exitInvalid, text: visible(err.Error())}
	}
	body, err := json.Marshal(flag.Explain(&c, time.Now()))
	if err != nil {
		return err
	}
	return s.print(body, printExplanation)
}

// rules compiles the documents of an environment.
func (s *session) rules(ctx context.Context, environment string) (*eval.Ruleset, error) {
	var documents []document.Document
	found, err := s.do(ctx, admin.Call{Path: []string{"environments", environment, "settings"}})
	switch {
	case err == nil:
		documents = append(documents, document.Document{Kind: document.KindSettings, Key: document.SettingsKey, Body: found.Body})
	case !isAbsent(err):
		return nil, err
	}
	for _, k := range []kind{segmentKind(), flagKind()} {
		all, err := s.all(ctx, admin.Call{Path: []string{"environments", environment, k.many}}, "after")
		if err != nil {
			return nil, err
		}
		found, err := listed(k, all)
		if err != nil {
			return nil, err
		}
		documents = append(documents, found...)
	}
	rules, _ := eval.New().Update(documents) // what cannot be used answers so
	return rules, nil
}

// listed returns the documents of a kind from the items that the API lists.
func listed(k kind, items []json.RawMessage) ([]document.Document, error) {
	documents := make([]document.Document, len(items))
	for i, item := range items {
		var d struct {
			Key      string          `json:"key"`
			Document json.RawMessage `json:"document"`
		}
		if err := json.Unmarshal(item, &d); err != nil {
			return nil, fmt.Errorf("the publisher's answer: %w", err)
		}
		documents[i] = document.Document{Kind: document.Kind(k.one), Key: d.Key, Body: d.Document}
	}
	return documents, nil
}

// explainAt asks a sidecar.
func (s *session) explainAt(ctx context.Context, sidecar, key string, evaluation jsontext.Value) error {
	ctx, cancel := context.WithTimeout(ctx, explainTimeout)
	defer cancel()
	body := object([]string{"context"}, []jsontext.Value{evaluation})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(sidecar, "/")+"/explain/"+url.PathEscape(key), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("--sidecar: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return &failure{code: exitUnavailable, text: visible("the sidecar does not answer: " + err.Error())}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxExplanation))
	switch {
	case err != nil:
		return &failure{code: exitUnavailable, text: visible("the sidecar does not answer: " + err.Error())}
	case response.StatusCode == http.StatusNotFound && bytes.Contains(text, []byte("the flag does not exist")):
		return &failure{code: exitNotFound, text: visible(fmt.Sprintf("the sidecar has no flag %q", key))}
	case response.StatusCode == http.StatusNotFound:
		return &failure{code: exitFailure, text: "this is not the management address of a sidecar: it has no /explain/"}
	case response.StatusCode == http.StatusBadRequest:
		return &failure{code: exitInvalid, text: visible(fmt.Sprintf("the sidecar answers %s: %s", response.Status, text))}
	case response.StatusCode != http.StatusOK:
		return &failure{code: exitFailure, text: visible(fmt.Sprintf("the sidecar answers %s: %s", response.Status, text))}
	}
	var answer struct {
		Explanation json.RawMessage `json:"explanation"`
	}
	if err := json.Unmarshal(text, &answer); err != nil || answer.Explanation == nil {
		return errors.New("the sidecar's answer is no explanation: is this its management address?")
	}
	if s.output == formatTable {
		text = answer.Explanation
	}
	return s.print(text, printExplanation)
}

// printExplanation says what a flag answers, and why.
func printExplanation(out io.Writer, value any) error {
	answer := word(value, "variant")
	if answer == "" {
		answer = "the default of the application"
	}
	if v := find(value, "value"); v != nil {
		answer += " = " + cell(v)
	}
	return details(
		column{"answer", func(any) string { return answer }}, at("reason", "reason"), at("error", "errorCode"), at("details", "errorDetails"),
		column{"prerequisites", func(any) string { return unmet(value) }},
	)(out, value)
}

// unmet names the prerequisites that were evaluated.
func unmet(value any) string {
	all, _ := find(value, "prerequisites").([]any)
	var texts []string
	for _, p := range all {
		state := "met"
		if find(p, "met") == false {
			state = "not met"
		}
		texts = append(texts, word(p, "flag")+" is "+state)
	}
	return some(texts)
}
