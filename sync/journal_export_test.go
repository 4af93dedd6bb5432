package flagsync

// RecodeFact decodes a record of a journal and encodes it again.
func RecodeFact(data []byte) ([]byte, error) {
	e, err := decodeFactEnvelope(data)
	if err != nil {
		return nil, err
	}
	return e.encode()
}
