//go:build !linux

package l4

// newReactor: there is none. Everything is done by the copy engine.
func newReactor(*Server, Options) (engine, error) { return nil, nil }

// Pipes: there are none.
func (s *Server) Pipes() PipeStats { return PipeStats{} }
