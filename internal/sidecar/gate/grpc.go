package gate

import (
	"context"
	"errors"
	"io"
	"log"
	"math"
	"net/http"
	"strings"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
)

const (
	// Service is the gRPC service of Envoy's external authorization, and checkProcedure its one procedure.
	Service        = "envoy.service.auth.v3.Authorization"
	checkProcedure = "/" + Service + "/Check"

	maxRequests      = 1000 // at the same time on one connection: a proxy sends all of a thread over one
	streamBuffer     = 64 << 10
	connectionBuffer = 1 << 20
	pingAfter        = 30 * time.Second // of silence on a connection
	pingTimeout      = 15 * time.Second
)

// assembleGRPC makes the server for requests of gRPC.
func (s *Server) assembleGRPC() {
	s.grpc = http.Server{
		Handler: s.routes(), ReadHeaderTimeout: readTimeout, ReadTimeout: readTimeout, WriteTimeout: 2 * readTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		Protocols: new(http.Protocols),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxRequests, MaxReceiveBufferPerConnection: connectionBuffer, MaxReceiveBufferPerStream: streamBuffer,
			SendPingTimeout: pingAfter, PingTimeout: pingTimeout, WriteByteTimeout: readTimeout,
		},
		ErrorLog: log.New(io.Discard, "", 0), // errors of single connections, which concern the client
	}
	s.grpc.Protocols.SetHTTP1(true)
	s.grpc.Protocols.SetHTTP2(true)
	s.grpc.Protocols.SetUnencryptedHTTP2(true)
}

// routes returns what answers requests to the port of gRPC. A proxy that sends others than those of gRPC there is not refused either.
func (s *Server) routes() http.Handler {
	options := []connect.HandlerOption{
		connect.WithCodec(codec{}), connect.WithReadMaxBytes(maxBody), connect.WithCompressMinBytes(math.MaxInt),
	}
	// For gRPC a stream of one message is the same as the message. Here it leaves the answer to us when that cannot be read.
	check := connect.NewClientStreamHandler(checkProcedure, s.check, options...)
	healthPath, health := grpchealth.NewHandler(grpchealth.NewStaticChecker(Service))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc"):
			s.metrics.broken.Inc()
			s.notGRPC(w)
		case strings.HasPrefix(r.URL.Path, healthPath):
			health.ServeHTTP(w, r)
		case r.URL.Path == checkProcedure:
			unconditional(r.Header)
			check.ServeHTTP(w, r)
		default:
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Grpc-Status", "12") // UNIMPLEMENTED
		}
	})
}

// unconditional takes from a header what could make connect refuse a request before it is read. The answer takes less time than any proxy waits.
func unconditional(header http.Header) {
	header.Set("Content-Type", "application/grpc+"+codec{}.Name())
	header.Del("Grpc-Timeout")
	if encoding := header.Get("Grpc-Encoding"); encoding != "gzip" {
		header.Del("Grpc-Encoding")
	}
	header.Del("Grpc-Accept-Encoding")
}

// notGRPC answers what is not gRPC as the gate over HTTP answers what it cannot read.
func (s *Server) notGRPC(w http.ResponseWriter) {
	x := newExchange().(*exchange)
	s.withoutFlags(x)
	w.Header().Set("Cache-Control", x.caching)
	w.Header().Set(removeHeader, strings.Join(x.remove, ", "))
}

// check answers one request. It returns no error, whatever comes.
func (s *Server) check(_ context.Context, stream *connect.ClientStream[message]) (*connect.Response[message], error) {
	began := time.Now()
	came := stream.Receive()
	answer := s.answerMessage(stream.Msg().encoded, came)
	s.metrics.grpc.Observe(time.Since(began).Seconds())
	return connect.NewResponse(&message{answer}), nil
}

// answerMessage returns the answer to a message, which may not have come.
func (s *Server) answerMessage(request []byte, came bool) (answer []byte) {
	defer func() {
		if v := recover(); v != nil {
			s.logPanic(v)
			answer = s.messageWithoutFlags()
		}
	}()
	if !came {
		s.metrics.broken.Inc()
		return s.messageWithoutFlags()
	}
	x := s.exchanges.Get().(*exchange)
	x.reset()
	x.header.Reset()
	r := checkReader{server: s, header: &x.header}
	if !r.read(inCheck, request) {
		s.metrics.broken.Inc()
		return s.messageWithoutFlags()
	}
	evaluated := s.answer(&x.header, r.target, x)
	answer = x.appendCheck(nil)
	s.record(x, faceGRPC, evaluated)
	s.exchanges.Put(x)
	return answer
}

func (s *Server) messageWithoutFlags() []byte {
	x := newExchange().(*exchange)
	s.withoutFlags(x)
	return x.appendCheck(nil)
}

// message is a message of Protocol Buffers that is encoded already, or not decoded yet.
type message struct{ encoded []byte }

// codec leaves messages as they are.
type codec struct{}

// errNoMessage is about a value that is no message, which the one procedure does not have.
var errNoMessage = errors.New("not a message of the gate")

// Name implements connect.Codec.
func (codec) Name() string { return "proto" }

// Marshal implements connect.Codec.
func (codec) Marshal(v any) ([]byte, error) {
	m, ok := v.(*message)
	if !ok {
		return nil, errNoMessage
	}
	return m.encoded, nil
}

// MarshalAppend appends the message, which connect uses where a codec has it.
func (codec) MarshalAppend(b []byte, v any) ([]byte, error) {
	m, ok := v.(*message)
	if !ok {
		return nil, errNoMessage
	}
	return append(b, m.encoded...), nil
}

// Unmarshal implements connect.Codec. The memory of data is used for other requests later.
func (codec) Unmarshal(data []byte, v any) error {
	m, ok := v.(*message)
	if !ok {
		return errNoMessage
	}
	m.encoded = append([]byte(nil), data...)
	return nil
}
