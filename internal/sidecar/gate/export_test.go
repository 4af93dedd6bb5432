package gate

import "github.com/valyala/fasthttp"

// What tests of other packages see of a server.
type (
	Message = message
	Codec   = codec
)

// CheckProcedure is the path of a check.
const CheckProcedure = checkProcedure

// Handle answers a request over HTTP.
func (s *Server) Handle(ctx *fasthttp.RequestCtx) { s.handle(ctx) }

// AnswerMessage answers a message of gRPC.
func (s *Server) AnswerMessage(request []byte) []byte { return s.answerMessage(request, true) }

// NewMessage returns a message of bytes.
func NewMessage(encoded []byte) *Message { return &message{encoded} }

// Bytes returns the bytes of a message.
func (m *message) Bytes() []byte { return m.encoded }
