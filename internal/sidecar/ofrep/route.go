package ofrep

import "bytes"

// basePath is the path of the bulk endpoint; a flag key after a further slash makes it the endpoint of one flag.
const basePath = "/ofrep/v1/evaluate/flags"

// route says which endpoint a request target means.
type route struct {
	known bool
	// key is the flag key as it stands in the target, percent-encoding included. Empty means the bulk endpoint.
	key []byte
}

// parseRoute finds the endpoint of a request target. The key is everything after the slash up to the query, so that keys with slashes
// can be asked for escaped or not. Nothing is cleaned but the first of two slashes at the beginning, which clients send whose base address ends
// with a slash.
func parseRoute(target []byte) route {
	path := pathOf(target)
	rest, found := bytes.CutPrefix(path, []byte(basePath))
	switch {
	case !found:
		return route{}
	case len(rest) == 0:
		return route{known: true}
	case rest[0] != '/':
		return route{}
	default:
		return route{known: true, key: rest[1:]}
	}
}

// pathOf returns the path of a request target, without the first of two slashes at its beginning.
func pathOf(target []byte) []byte {
	path, _, _ := bytes.Cut(withoutOrigin(target), []byte("?"))
	if bytes.HasPrefix(path, []byte("//")) {
		return path[1:]
	}
	return path
}

// withoutOrigin drops the scheme and the authority of a target in absolute form (RFC 9112, section 3.2.2).
func withoutOrigin(target []byte) []byte {
	if len(target) > 0 && target[0] == '/' {
		return target
	}
	_, rest, found := bytes.Cut(target, []byte("://"))
	if !found {
		return target
	}
	slash := bytes.IndexByte(rest, '/')
	if slash < 0 {
		return nil
	}
	return rest[slash:]
}

// appendUnescaped appends text with its percent-encoding decoded once. A plus is a plus. It reports false if an escape is broken.
func appendUnescaped(dst, text []byte) (unescaped []byte, ok bool) {
	for {
		plain, rest, found := bytes.Cut(text, []byte("%"))
		dst = append(dst, plain...)
		if !found {
			return dst, true
		}
		if len(rest) < 2 {
			return dst, false
		}
		high, low := hexValue(rest[0]), hexValue(rest[1])
		if high > 15 || low > 15 {
			return dst, false
		}
		dst = append(dst, high<<4|low)
		text = rest[2:]
	}
}

// hexValue returns the value of a hexadecimal digit, or more than 15.
func hexValue(digit byte) byte {
	switch {
	case '0' <= digit && digit <= '9':
		return digit - '0'
	case 'a' <= digit && digit <= 'f':
		return digit - 'a' + 10
	case 'A' <= digit && digit <= 'F':
		return digit - 'A' + 10
	default:
		return 16
	}
}
