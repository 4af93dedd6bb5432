package flagd

import (
	"crypto/sha256"
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/rs/zerolog"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/inprocess"
	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// Documents makes the documents that providers evaluate themselves, when one asks for them. Safe for concurrent use.
type Documents struct {
	views    resolver.Views
	context  *structpb.Struct
	logger   zerolog.Logger
	reported atomic.Pointer[map[string]string] // what LeftOut returns; nil before the first document

	mu          sync.Mutex // guards what follows
	view        *cache.View
	definitions map[string]string // members of the document, by key
	leftOut     map[string]string // why a flag is in no document, by key
	unenforced  map[string]struct{}
	messages    map[messageKey]*message // of the view, if they have flags
	encodings   int                     // how many messages were encoded so far
}

// NewDocuments returns the documents of the views. context is added to every evaluation of a provider; nil adds nothing.
func NewDocuments(views resolver.Views, context *structpb.Struct, logger zerolog.Logger) *Documents {
	return &Documents{
		views:       views,
		context:     context,
		logger:      logger,
		definitions: make(map[string]string),
		leftOut:     make(map[string]string),
		unenforced:  make(map[string]struct{}),
	}
}

// StaticContext returns attributes that every evaluation gets as a context for NewDocuments, nil if there are none.
func StaticContext(attributes map[string]string) *structpb.Struct {
	if len(attributes) == 0 {
		return nil
	}
	s := &structpb.Struct{Fields: make(map[string]*structpb.Value, len(attributes))}
	for name, value := range attributes {
		s.Fields[name] = structpb.NewStringValue(strings.ToValidUTF8(value, "\uFFFD"))
	}
	return s
}

// LeftOut returns the flags that are in no document, because a provider could not answer them as the sidecar does, and why. It is empty
// as long as no provider has asked for a document. It never waits while documents are made, and must not be modified.
func (d *Documents) LeftOut() map[string]string {
	if reported := d.reported.Load(); reported != nil {
		return *reported
	}
	return nil
}

// noFlags is the document of a selection that nothing is in. It is not kept, because clients could think of any number of them.
const noFlags = `{"flags":{}}`

// messageKey is what distinguishes the messages of a view.
type messageKey struct {
	selection string
	form      form
}

// message returns the document of the current view with the selected flags, encoded once for all that ask for it. There must be a view.
func (d *Documents) message(selected *resolver.Selector, f form) (*message, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if view := d.views.View(); view != d.view {
		d.follow(view)
	}
	key := messageKey{string(selected.Metadata()), f}
	if made := d.messages[key]; made != nil {
		return made, nil
	}
	document := d.join(selected)
	encoded, err := f.encode(document, d)
	if err != nil {
		return nil, err
	}
	d.encodings++
	m := &message{encoded: encoded, content: sha256.Sum256([]byte(document))}
	if document != noFlags {
		d.messages[key] = m
	}
	return m, nil
}

// follow translates what is different in the view.
func (d *Documents) follow(view *cache.View) {
	var before *eval.Ruleset
	if d.view != nil {
		before = d.view.Rules()
	}
	for was, is := range view.Rules().Difference(before) {
		if is == nil {
			d.forget(was.Key())
			continue
		}
		d.translate(view.Rules(), is)
	}
	d.view, d.messages = view, make(map[messageKey]*message)
	d.reported.Store(new(maps.Clone(d.leftOut)))
}

func (d *Documents) forget(key string) {
	delete(d.definitions, key)
	delete(d.leftOut, key)
	delete(d.unenforced, key)
}

func (d *Documents) translate(rules *eval.Ruleset, flag *eval.Flag) {
	key, told := flag.Key(), d.leftOut[flag.Key()]
	_, toldUnenforced := d.unenforced[key]
	d.forget(key)
	definition, err := inprocess.Translate(rules, flag)
	if err != nil {
		d.leftOut[key] = err.Error()
		if told != err.Error() {
			d.logger.Warn().Str("flag", key).Str("reason", err.Error()).
				Msg("flag withheld from in-process providers: they could not answer it as the sidecar does")
		}
		return
	}
	d.definitions[key] = string(definition)
	if inprocess.Unenforced(flag) {
		d.unenforced[key] = struct{}{}
		if !toldUnenforced {
			d.logger.Info().Str("flag", key).Msg("flag sent to in-process providers, which ignore the freshness that it demands")
		}
	}
}

// join makes the document of the selected flags.
func (d *Documents) join(selected *resolver.Selector) string {
	var b strings.Builder
	b.WriteString(`{"flags":{`)
	first := true
	var key []byte
	for _, flag := range d.view.Rules().Flags() {
		definition, ok := d.definitions[flag.Key()]
		if !ok || !selected.Selects(flag) {
			continue
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		key, _ = jsontext.AppendQuote(key[:0], flag.Key()) // keys are UTF-8
		b.Write(key)
		b.WriteByte(':')
		b.WriteString(definition)
	}
	b.WriteString("}}")
	return b.String()
}
