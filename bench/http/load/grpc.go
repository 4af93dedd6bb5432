//go:build linux

package load

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// GRPC returns a call of a method such as /flagd.evaluation.v1.Service/ResolveBoolean with an encoded message, without TLS.
func GRPC(method string, message []byte) Request {
	var fields bytes.Buffer
	encoder := hpack.NewEncoder(&fields)
	for _, f := range []hpack.HeaderField{
		{Name: ":method", Value: "POST"},
		{Name: ":scheme", Value: "http"},
		{Name: ":path", Value: method},
		{Name: ":authority", Value: "localhost"},
		{Name: "content-type", Value: "application/grpc"},
		{Name: "user-agent", Value: "grpc-bench/1"},
		{Name: "te", Value: "trailers"},
	} {
		f.Sensitive = true // never in the dynamic table, so that the bytes are the same for each call
		if err := encoder.WriteField(f); err != nil {
			panic(err) // a buffer takes everything
		}
	}
	var wire bytes.Buffer
	framer := http2.NewFramer(&wire, nil)
	prefixed := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
	err := errors.Join(
		framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields.Bytes(), EndHeaders: true}),
		framer.WriteData(1, true, prefixed),
	)
	if err != nil {
		panic(err) // as above
	}
	return Request{wire: wire.Bytes(), digits: -1, grpc: true}
}

// http2Connection is gRPC over HTTP/2 with one call at a time. The server's windows are those of the protocol, 64 KB at first, and are as full again
// when it has read a call: so a small call never waits for them.
type http2Connection struct {
	stream  uint32 // of the call under way
	data    []byte // a part of a frame
	decoder *hpack.Decoder
	failure string // of the call, as its trailers say
	ended   bool   // its trailers have said OK
	unread  uint32 // bytes that the server's window was not given back for
	replies bytes.Buffer
	framer  *http2.Framer
}

const window = 1 << 30 // for what the server sends

func newHTTP2() *http2Connection {
	h := new(http2Connection)
	h.framer = http2.NewFramer(&h.replies, nil)
	h.decoder = hpack.NewDecoder(0, h.field)
	return h
}

func (h *http2Connection) opening() []byte {
	h.replies.WriteString(http2.ClientPreface)
	_ = h.framer.WriteSettings( // a buffer takes everything
		http2.Setting{ID: http2.SettingHeaderTableSize, Val: 0},
		http2.Setting{ID: http2.SettingEnablePush, Val: 0},
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: window},
	)
	_ = h.framer.WriteWindowUpdate(0, window)
	return h.reply()
}

// reply returns what is to be sent, if there is anything.
func (h *http2Connection) reply() []byte {
	if h.replies.Len() == 0 {
		return nil
	}
	out := bytes.Clone(h.replies.Bytes())
	h.replies.Reset()
	return out
}

// frameHeader is how long what begins a frame is: 3 bytes of length, its type, its flags, 4 bytes that name the stream.
const frameHeader = 9

func (h *http2Connection) request(dst []byte, r *Request) []byte {
	h.stream += 2
	if h.stream == 2 {
		h.stream = 1
	}
	h.ended, h.failure = false, ""
	begin := len(dst)
	dst = append(dst, r.wire...)
	for at := begin; at < len(dst); at += frameHeader + frameLength(dst[at:]) {
		binary.BigEndian.PutUint32(dst[at+5:], h.stream)
	}
	return dst
}

func frameLength(frame []byte) int {
	return int(frame[0])<<16 | int(frame[1])<<8 | int(frame[2])
}

func (h *http2Connection) receive(data []byte) (complete bool, reply []byte, err error) {
	if len(h.data) > 0 {
		h.data = append(h.data, data...)
		data = h.data
	}
	for len(data) >= frameHeader {
		end := frameHeader + frameLength(data)
		if len(data) < end {
			break
		}
		done, err := h.frame(data[:end])
		if err != nil {
			return false, nil, err
		}
		complete = complete || done
		data = data[end:]
	}
	h.data = append(h.data[:0], data...)
	return complete, h.reply(), nil
}

// frame takes one frame and reports whether the call is complete with it.
func (h *http2Connection) frame(frame []byte) (complete bool, err error) {
	kind, flags, payload := http2.FrameType(frame[3]), http2.Flags(frame[4]), frame[frameHeader:]
	stream := binary.BigEndian.Uint32(frame[5:]) & (1<<31 - 1)
	switch kind {
	case http2.FrameHeaders:
		return h.headers(stream, flags, payload)
	case http2.FrameData:
		h.giveBack(uint32(len(payload)))
	case http2.FrameSettings:
		if !flags.Has(http2.FlagSettingsAck) {
			return false, h.framer.WriteSettingsAck()
		}
	case http2.FramePing:
		if !flags.Has(http2.FlagPingAck) {
			return false, h.framer.WritePing(true, [8]byte(payload))
		}
	case http2.FrameRSTStream:
		if stream == h.stream && !h.ended {
			return false, fmt.Errorf("the server has reset the call: %v", http2.ErrCode(binary.BigEndian.Uint32(payload)))
		}
	case http2.FrameGoAway:
		return false, fmt.Errorf("the server ends the connection: %q", shortened(payload))
	default: // windows and priorities, which do not matter here
	}
	return false, nil
}

// headers takes what begins or ends the answer to a call.
func (h *http2Connection) headers(stream uint32, flags http2.Flags, block []byte) (complete bool, err error) {
	if stream != h.stream || flags.Has(http2.FlagHeadersPadded) || flags.Has(http2.FlagHeadersPriority) || !flags.Has(http2.FlagHeadersEndHeaders) {
		return false, fmt.Errorf("headers of stream %d with flags %x are not expected in stream %d", stream, flags, h.stream)
	}
	if _, err := h.decoder.Write(block); err != nil {
		return false, err
	}
	if err := h.decoder.Close(); err != nil {
		return false, err
	}
	if !flags.Has(http2.FlagHeadersEndStream) {
		return false, nil
	}
	if h.failure != "" || !h.ended {
		return false, fmt.Errorf("the call failed: %s", h.failure)
	}
	return true, nil
}

// field takes one header field or trailer.
func (h *http2Connection) field(f hpack.HeaderField) {
	switch {
	case f.Name == ":status" && f.Value != "200", f.Name == "grpc-status" && f.Value != "0", f.Name == "grpc-message" && f.Value != "":
		h.failure += f.Name + " " + f.Value + " "
	case f.Name == "grpc-status":
		h.ended = true
	}
}

// giveBack opens the window again for what has been read.
func (h *http2Connection) giveBack(n uint32) {
	if h.unread += n; h.unread > window/2 {
		_ = h.framer.WriteWindowUpdate(0, h.unread)
		h.unread = 0
	}
}
