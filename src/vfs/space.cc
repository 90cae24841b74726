// Holes, allocation, and copies that share chunks.
#include <linux/falloc.h>

#include "model/chunk.h"
#include "vfs/bring.h"
#include "vfs/core.h"
#include "vfs/filesystem.h"
#include "vfs/opens.h"
#include "vfs/publisher.h"

namespace weir::vfs {

namespace {

/// The published content of a file without unpublished changes, else nothing.
Result<std::shared_ptr<Version>> unchanged_version(Core& core, File& file) {
  ASSIGN_OR_RETURN(auto version, core.version_of(file));
  MutexLock lock(file.mutex);
  if (file.draft && file.draft->changed()) return std::shared_ptr<Version>();
  return version;
}

uint64_t size_of(File& file, const Version& version) {
  MutexLock lock(file.mutex);
  return file.draft ? file.draft->size() : version.size();
}

std::optional<uint64_t> seek_in(const Version& version, uint64_t offset, bool data) {
  if (!version.has_image()) return data ? std::optional(offset) : std::nullopt;
  const auto& chunks = version.manifest()->chunks;
  for (uint64_t index = chunk_index(offset); index < chunks.size(); ++index)
    if (chunks[index].is_zero() != data) return std::max(offset, chunk_offset(index));
  return std::nullopt;
}

struct Copy {
  Filesystem& filesystem;
  Core& core;
  HandleId from;
  HandleId to;
  File& target;
  std::shared_ptr<Version> source;  // null: copied byte by byte
  bool shared_some = false;

  /// Shares one chunk if both ends allow it. False: copy it.
  Result<bool> share(uint64_t from_offset, uint64_t to_offset, uint64_t length) {
    if (!source || !source->has_image() || from_offset % limits::kChunkBytes != 0) return false;
    uint64_t index = chunk_index(from_offset);
    if (length != chunk_length(source->size(), index)) return false;
    bool shared = false;
    TRY(change_draft(
        core, target,
        [&](const Draft& draft, const Given& given) { return draft.needed_to_write(to_offset, length, given); },
        [&](Draft& draft, const Given& given) -> Status {
          shared = draft.can_share(to_offset, length);
          if (!shared) return {};
          return draft.share(chunk_index(to_offset), source->manifest()->chunks[index], length, given);
        }));
    shared_some = shared_some || shared;
    return shared;
  }

  Status bytes(uint64_t from_offset, uint64_t to_offset, uint64_t length) {
    Bytes buffer(length, '\0');
    ASSIGN_OR_RETURN(size_t got, filesystem.read(from, from_offset, std::span<char>(buffer.data(), length)));
    auto written = filesystem.write(to, to_offset, std::string_view(buffer).substr(0, got));
    if (!written) return Failure(written.error());
    return {};
  }
};

}  // namespace

namespace {

Status allocate_bytes(Core& core, File& file, uint32_t mode, uint64_t offset, uint64_t length) {
  const bool keep_size = (mode & FALLOC_FL_KEEP_SIZE) != 0;
  if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0)
    return change_draft(
        core, file,
        [&](const Draft& draft, const Given& given) { return draft.needed_to_zero(offset, length, keep_size, given); },
        [&](Draft& draft, const Given& given) { return draft.zero(offset, length, keep_size, given); });
  if (keep_size) return {};
  const uint64_t end = offset + length;
  return change_draft(
      core, file,
      [&](const Draft& draft, const Given& given) {
        return end > draft.size() ? draft.needed_to_truncate(end, given) : std::nullopt;
      },
      [&](Draft& draft, const Given& given) { return end > draft.size() ? draft.truncate(end, given) : Status(); });
}

/// False: nothing unpublished would carry the time.
bool modified_with_draft(File& file, int64_t now_ns) {
  MutexLock lock(file.mutex);
  if (!file.draft || !file.draft->changed()) return false;
  file.draft->set_mtime_ns(now_ns);
  return true;
}

}  // namespace

Status Filesystem::allocate(const Caller& caller, HandleId id, uint32_t mode, uint64_t offset, uint64_t length) {
  ASSIGN_OR_RETURN(auto handle, core_->handles.find(id));
  if (!handle->writable()) return error(Code::kBadHandle, "handle {} is not open for writing", id);
  if (length == 0 || offset + length < offset) return error(Code::kInvalid, "an empty or endless range");
  if (offset + length > limits::kFileBytes)
    return error(Code::kTooLarge, "a file has at most {} bytes", limits::kFileBytes);
  if ((mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0)
    return error(Code::kUnsupported, "fallocate mode {:#x} is not one of plain, keep size, punch hole and zero range",
                 mode);
  TRY(allocate_bytes(*core_, *handle->file, mode, offset, length));
  show_change(*core_, *handle->file, handle->epoch);
  // Even if no byte changed, the file was modified: its times say so.
  if (modified_with_draft(*handle->file, core_->volume.clock().realtime_ns())) return {};
  SetAttributes modified;
  modified.mtime_now = true;
  auto set = set_attributes(caller, KernelNode::of(handle->file->id, handle->epoch), modified);
  if (!set) return Failure(set.error());
  return {};
}

Result<uint64_t> Filesystem::seek(HandleId id, uint64_t offset, bool data) {
  ASSIGN_OR_RETURN(auto handle, core_->handles.find(id));
  File& file = *handle->file;
  ASSIGN_OR_RETURN(auto version, core_->version_of(file));
  uint64_t size = 0;
  std::optional<uint64_t> found;
  {
    MutexLock lock(file.mutex);
    size = file.draft ? file.draft->size() : version->size();
    if (offset >= size) return error(Code::kNoDevice, "offset {} is behind the end", offset);
    found = file.draft ? file.draft->seek(offset, data) : seek_in(*version, offset, data);
  }
  if (found) return *found;
  if (data) return error(Code::kNoDevice, "there is no data behind offset {}", offset);
  return size;
}

Result<uint64_t> Filesystem::copy_range(const Caller& /*caller*/, HandleId from, uint64_t from_offset, HandleId to,
                                        uint64_t to_offset, uint64_t length) {
  ASSIGN_OR_RETURN(auto source, core_->handles.find(from));
  ASSIGN_OR_RETURN(auto target, core_->handles.find(to));
  if (!target->writable()) return error(Code::kBadHandle, "handle {} is not open for writing", to);
  ASSIGN_OR_RETURN(auto source_version, core_->version_of(*source->file));
  uint64_t size = size_of(*source->file, *source_version);
  if (from_offset >= size) return uint64_t{0};
  length = std::min(length, size - from_offset);
  if (to_offset + length > limits::kFileBytes)
    return error(Code::kTooLarge, "a file has at most {} bytes", limits::kFileBytes);
  ASSIGN_OR_RETURN(auto shareable, unchanged_version(*core_, *source->file));
  if (source->file->id == target->file->id) shareable = nullptr;
  Copy copy{*this, *core_, from, to, *target->file, shareable};
  for (uint64_t done = 0; done < length;) {
    uint64_t at = from_offset + done;
    uint64_t piece = std::min(length - done, limits::kChunkBytes - at % limits::kChunkBytes);
    auto shared = copy.share(at, to_offset + done, piece);
    Status copied = !shared   ? Status(Failure(shared.error()))
                    : *shared ? Status()
                              : copy.bytes(at, to_offset + done, piece);
    if (!copied && done == 0) return Failure(copied.error());
    if (!copied) length = done;
    done += piece;
  }
  // While the source is open its chunks have a name. From the publish on they have another.
  if (copy.shared_some) show_change(*core_, *target->file, target->epoch);
  if (copy.shared_some) TRY(publish(*core_, {}, *target->file));
  return length;
}

}  // namespace weir::vfs
