package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/sluicelb/sluice/configs"
	"github.com/sluicelb/sluice/l4"
)

// An output is where records end up.
type output interface {
	// write writes a line.
	write(line []byte) error
	// sessions writes the records of sessions.
	sessions(format configs.LogFormat, msg string, batch []l4.Record) error
	// close lets go of what is open. What comes later is refused with errOutputClosed.
	close()
}

var errOutputClosed = errors.New("the output is closed")

// openOutput opens what log.output says.
func openOutput(stderr io.Writer, cfg configs.Log) (output, error) {
	switch cfg.Output {
	case "stderr":
		return &stream{w: stderr}, nil
	case "journald":
		return openJournal()
	}
	file, err := os.OpenFile(cfg.Output, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		if pathErr, ok := err.(*os.PathError); ok {
			err = pathErr.Err // the path is in front of it already
		}
		return nil, fmt.Errorf("log.output %q: %w", cfg.Output, err)
	}
	return &stream{w: file, file: file}, nil
}

// A stream is an output of lines: a file, or stderr.
type stream struct {
	file *os.File // to be closed; nil: none

	mu     sync.Mutex // guards the fields below: lines do not mix
	w      io.Writer
	text   []byte // of a batch; kept for the next
	closed bool
}

func (s *stream) write(line []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errOutputClosed
	}
	_, err := s.w.Write(line)
	return err
}

// maxKept bounds the memory that a stream keeps for the next batch: one of 256 records has some 100 KiB.
const maxKept = 256 << 10

func (s *stream) sessions(format configs.LogFormat, msg string, batch []l4.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errOutputClosed
	}
	text := s.text[:0]
	for i := range batch {
		text = appendSession(text, format, msg, &batch[i])
	}
	if cap(text) <= maxKept {
		s.text = text
	}
	_, err := s.w.Write(text)
	return err
}

// close closes a file; stderr stays open.
func (s *stream) close() {
	if s.file == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.file.Close()
}

// appendBySlog is [appendSession] without a short cut.
func appendBySlog(text []byte, format configs.LogFormat, msg string, b *l4.Record) []byte {
	h := newHandler(writerFunc(func(line []byte) { text = append(text, line...) }), configs.Log{Format: format})
	h.Handle(context.Background(), sessionRecord(msg, b))
	return text
}
