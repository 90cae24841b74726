#pragma once

#include <array>
#include <atomic>
#include <string_view>

namespace weir {

/// Moments at which tests end the process: before and after each step that must survive it. A point that is not listed
/// here does not compile, and a test fails when one of the list is never passed.
inline constexpr std::array<std::string_view, 30> kFaultPoints = {
    "journal.image.before",   "journal.image.after",    // content that is not stored is recorded
    "journal.small.before",   "journal.small.after",    // the same for small content, with its bytes
    "journal.staging.before", "journal.staging.after",  // the record of a staging file
    "take.image.before",      "take.image.after",       // an image becomes a staging file for a writer beside readers
    "seal.rename.before",     "seal.rename.after",      // a staging file becomes an image
    "publish.sync.before",    "publish.sync.after",     // what replaces other content is made safe
    "publish.commit.before",  "publish.commit.after",   // the inode is switched
    "fill.chunk.before",      "fill.chunk.after",       // a chunk is written into an image
    "fill.finish.before",     "fill.finish.after",      // a complete image gets its final name
    "evict.image.before",     "evict.image.after",      // the file goes, its index entry not yet
    "upload.announce.before", "upload.announce.after",  // chunks of a file that is being written are known
    "upload.put.before",      "upload.put.after",       // the object is stored
    "upload.note.before",     "upload.note.after",      // the metadata knows it
    "upload.forget.before",   "upload.forget.after",    // the journal forgets it
    "collect.remove.before",  "collect.remove.after",   // the object of a collected chunk is deleted
};

constexpr bool is_fault_point(std::string_view name) {
  for (std::string_view point : kFaultPoints)
    if (point == name) return true;
  return false;
}

using FaultHook = void (*)(const char* point);
/// Null in the product: a point costs one load, beside a disk operation.
inline std::atomic<FaultHook> fault_hook = nullptr;

}  // namespace weir

#define FAULT_POINT(name)                                                                                   \
  do {                                                                                                      \
    static_assert(::weir::is_fault_point(name));                                                            \
    if (auto fault_point_hook = ::weir::fault_hook.load(std::memory_order_relaxed)) fault_point_hook(name); \
  } while (false)
