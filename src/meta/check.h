#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "meta/volume.h"

namespace weir::meta {

struct Problem {
  std::string kind;  // stable, for programs: "dangling_entry", "wrong_link_count", "missing_reference", …
  std::string what;  // the sentence for people, with the path where one is known
  bool repairable = false;
  bool repaired = false;
};

struct CheckCounts {
  uint64_t inodes = 0;
  uint64_t directories = 0;
  uint64_t entries = 0;
  uint64_t chunks = 0;
  uint64_t stored_chunks = 0;
  uint64_t content_bytes = 0;
};

using Report = std::function<void(const Problem&)>;
/// Called once for every chunk that a content names, stored or not.
using VisitChunk = std::function<void(const ChunkId&, const ChunkRecord&)>;

/// Reads the whole database and reports every inconsistency: undecodable rows, entries of absent inodes, inodes that
/// no entry or `O` row reaches, wrong link counts and directory counts, wrong parents, content without its `R`, `C` or
/// `M` rows, references of nothing, duties (`H`) of unknown chunks. With `repair` mends what loses nothing.
/// Requires: nobody changes the volume meanwhile. Memory: bounded by directories and chunks, not by file content.
Result<CheckCounts> check(Volume& volume, bool repair, const Report& report, const VisitChunk& visit_chunk);

}  // namespace weir::meta
