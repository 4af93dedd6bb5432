package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/sync/follow"
)

// readTimeout is how long a read waits for the log to confirm that what is known is current.
const readTimeout = 2 * time.Second

// routes names the operations on one kind of documents.
type routes struct {
	kind      document.Kind
	path, tag string
	one, many string // as in operation ids
	example   any    // of a document
}

func flagRoutes() routes {
	return routes{document.KindFlag, "/api/v1/environments/{environment}/flags", flagsTag, "Flag", "Flags", flagExample()}
}

func segmentRoutes() routes {
	return routes{document.KindSegment, "/api/v1/environments/{environment}/segments", segmentsTag, "Segment", "Segments", segmentExample()}
}

// DocumentPath is the path of a document.
type DocumentPath struct {
	EnvironmentPath

	Key string `path:"key" doc:"The key; a slash in it is written %2F."`
}

type putDocument struct {
	DocumentPath
	api.WriteHeaders

	RawBody []byte `contentType:"application/json"`
}

type deleteDocument struct {
	DocumentPath
	api.WriteHeaders
}

// documentBody is a document with its revision.
type documentBody struct {
	ContentType string `header:"Content-Type"`
	ETag        string `header:"ETag" doc:"The revision of the document, for If-Match."`
	Revision    string `header:"Flagside-Revision" doc:"The revision of the environment that was read."`
	Age         string `header:"Age" doc:"Seconds since it was certain that this is the newest revision: 0 unless the log does not answer; absent if never."`
	Body        []byte
}

func newEffects(list []decide.Effect) (all []api.Effect) {
	for _, e := range list {
		all = append(all, api.Effect{Kind: string(e.ID.Kind), Key: e.ID.Key, Done: string(e.Done)})
	}
	return all
}

type writtenBody struct {
	Status   int
	ETag     string `header:"ETag" doc:"The revision of the document; absent after a deletion."`
	Revision string `header:"Flagside-Revision" doc:"The revision of the environment that contains the change."`
	Body     api.Written
}

func (s *server) registerDocuments(h huma.API, r routes) {
	one := r.path + "/{key}"
	huma.Register(h, reading(operation(http.MethodGet, r.path, "list"+r.many, "List documents by key, from memory", r.tag)),
		func(ctx context.Context, in *listDocuments) (*documentList, error) { return s.list(ctx, r.kind, in) })
	huma.Register(h, describesDocument(reading(operation(http.MethodGet, one, "get"+r.one, "Read a document", r.tag))),
		func(ctx context.Context, in *DocumentPath) (*documentBody, error) {
			return s.get(ctx, in.Environment, document.ID{Kind: r.kind, Key: in.Key})
		})
	registerPut(h, operation(http.MethodPut, one, "put"+r.one, "Create or replace a document", r.tag), r.example,
		func(ctx context.Context, in *putDocument) (*writtenBody, error) {
			return s.put(ctx, in.Environment, document.ID{Kind: r.kind, Key: in.Key}, in.WriteHeaders, in.RawBody)
		})
	huma.Register(h, operation(http.MethodDelete, one, "delete"+r.one, "Delete a document", r.tag),
		func(ctx context.Context, in *deleteDocument) (*writtenBody, error) {
			return s.delete(ctx, in.Environment, document.ID{Kind: r.kind, Key: in.Key}, in.WriteHeaders)
		})
	huma.Register(h, reading(operation(http.MethodGet, one+"/history", "history"+r.one, "Read all changes of a document, newest first", r.tag)),
		func(ctx context.Context, in *historyPath) (*content[api.History], error) {
			return s.history(ctx, in, document.ID{Kind: r.kind, Key: in.Key})
		})
}

// registerPut registers an operation whose body is a document, such as the example.
func registerPut[I any](h huma.API, op huma.Operation, example any, handler func(context.Context, *I) (*writtenBody, error)) {
	op.RequestBody = &huma.RequestBody{Required: true}
	op.SkipValidateBody = true // its schema is the evaluator's
	op.DefaultStatus = http.StatusOK
	huma.Register(h, op, handler)
	op.RequestBody.Content = doc(example)
	op.Responses["201"] = &huma.Response{
		Description: "Created", Headers: op.Responses["200"].Headers, Content: op.Responses["200"].Content,
	}
}

// get reads a document for editing: after the log has confirmed that what is known is current. While the log does not answer, it is read
// from memory; that is safe, because a write that rests on an outdated revision is refused.
func (s *server) get(ctx context.Context, environment string, id document.ID) (*documentBody, error) {
	c, err := s.options.Environments.Control(ctx, environment)
	if err != nil {
		return nil, s.problem(err)
	}
	state, age, unconfirmed := newest(ctx, c)
	if state == nil {
		return nil, s.problem(unconfirmed)
	}
	d, exists := state.Document(id)
	if !exists {
		return nil, s.problem(cmp.Or(unconfirmed, decide.NotFound(id)))
	}
	return &documentBody{
		ContentType: "application/json",
		ETag:        etag(decide.Token(state, d)),
		Revision:    state.Position().Token().String(),
		Age:         age,
		Body:        d.Body,
	}, nil
}

// newest returns the state of an environment after the log has confirmed that it is current, and the value of an Age header. While the log does not
// answer, it is the state that is known, with its age and why it is not confirmed; nil if none is known.
func newest(ctx context.Context, c *control.Service) (state decide.State, age string, unconfirmed error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	state, unconfirmed = c.Current(ctx)
	if unconfirmed == nil {
		return state, "0", nil
	}
	state, err := c.Known()
	if err != nil {
		return nil, "", err
	}
	return state, ageSeconds(c.Status()), unconfirmed
}

// ageSeconds returns the value of an Age header, empty if the age is not known.
func ageSeconds(s follow.Status) string {
	if !s.AgeKnown {
		return ""
	}
	return strconv.FormatInt(int64(s.Age/time.Second), 10)
}

func (s *server) put(ctx context.Context, environment string, id document.ID, w api.WriteHeaders, body []byte) (*writtenBody, error) {
	condition, err := preconditionOf(w)
	if err != nil {
		return nil, err
	}
	out, err := s.do(ctx, environment, originOf(ctx, w.ChangeHeaders), decide.Put{ID: id, Body: body, If: condition})
	if err == nil && condition.Absent {
		out.Status = http.StatusCreated
	}
	return out, err
}

func (s *server) delete(ctx context.Context, environment string, id document.ID, w api.WriteHeaders) (*writtenBody, error) {
	condition, err := preconditionOf(w)
	if err != nil {
		return nil, err
	}
	out, err := s.do(ctx, environment, originOf(ctx, w.ChangeHeaders), decide.Delete{ID: id, If: condition})
	if err == nil {
		out.ETag = ""
	}
	return out, err
}

func (s *server) do(ctx context.Context, environment string, origin decide.Origin, command decide.Command) (*writtenBody, error) {
	c, err := s.options.Environments.Control(ctx, environment)
	if err != nil {
		return nil, s.problem(err)
	}
	result, err := c.Do(ctx, origin, command)
	if err != nil {
		return nil, s.problem(err)
	}
	revision := result.Position.Token().String()
	out := &writtenBody{
		Status: http.StatusOK, Revision: revision,
		Body: api.Written{Revision: revision, Changed: result.Written > 0, OpID: result.OpID, Effects: newEffects(result.Effects), Warnings: places(result.Warnings)},
	}
	if result.Document.Revision != 0 {
		out.ETag = etag(result.Document)
	}
	return out, nil
}

// value is a document inside an answer, as the log has it.
type value = json.RawMessage
