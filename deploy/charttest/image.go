package charttest

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// ImageConfig is what an image says of itself, as the OCI image specification has it.
type ImageConfig struct {
	Architecture string `json:"architecture"`
	Config       struct {
		User       string
		Entrypoint []string
		Cmd        []string
		Labels     map[string]string
	} `json:"config"`
}

type descriptor struct {
	Digest string `json:"digest"`
}

// UnpackImage unpacks the layers of an image in an OCI archive into a directory, and returns its configuration.
func UnpackImage(archive, dir string) (ImageConfig, error) {
	blobs, err := os.MkdirTemp("", "image-*")
	if err != nil {
		return ImageConfig{}, err
	}
	defer os.RemoveAll(blobs)
	file, err := os.Open(archive)
	if err != nil {
		return ImageConfig{}, err
	}
	defer file.Close()
	if err := unpack(file, blobs); err != nil {
		return ImageConfig{}, fmt.Errorf("%s: %w", archive, err)
	}
	blob := func(d descriptor) string {
		return filepath.Join(blobs, "blobs", strings.Replace(d.Digest, ":", "/", 1))
	}
	var index struct{ Manifests []descriptor }
	if err := readJSON(filepath.Join(blobs, "index.json"), &index); err != nil || len(index.Manifests) != 1 {
		return ImageConfig{}, fmt.Errorf("%s: %d manifests, %w", archive, len(index.Manifests), err)
	}
	var manifest struct {
		Config descriptor
		Layers []descriptor
	}
	if err := readJSON(blob(index.Manifests[0]), &manifest); err != nil {
		return ImageConfig{}, err
	}
	for _, layer := range manifest.Layers {
		if err := unpackLayer(blob(layer), dir); err != nil {
			return ImageConfig{}, err
		}
	}
	var config ImageConfig
	return config, readJSON(blob(manifest.Config), &config)
}

func readJSON(file string, to any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, to)
}

func unpackLayer(file, dir string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	zipped, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	return unpack(zipped, dir)
}

// unpack writes the files of a tar archive. Our images have directories and files alone.
func unpack(r io.Reader, dir string) error {
	for archive := tar.NewReader(r); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !filepath.IsLocal(header.Name) && header.Name != "/" {
			return fmt.Errorf("%q lies outside of the archive", header.Name)
		}
		at := filepath.Join(dir, header.Name)
		switch header.Typeflag {
		case tar.TypeDir:
			err = os.MkdirAll(at, 0o755)
		case tar.TypeReg:
			err = unpackFile(archive, at, header)
		default:
			err = fmt.Errorf("%s is neither a file nor a directory", header.Name)
		}
		if err != nil {
			return err
		}
	}
}

func unpackFile(r io.Reader, at string, header *tar.Header) error {
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(at, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, header.FileInfo().Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}
