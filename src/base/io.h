#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/file_descriptor.h"
#include "base/result.h"

/// System calls on files that go on after EINTR and short counts, and say in their errors which path failed.
/// All of these block.
namespace weir::io {

Result<FileDescriptor> open_file(const std::string& path, int flags, unsigned mode = 0600);
/// Reads up to `count` bytes at `offset`; fewer only at the end of the file.
Result<size_t> read_at(int fd, char* buffer, size_t count, uint64_t offset);
Status write_at(int fd, std::string_view bytes, uint64_t offset);
Result<Bytes> read_file(const std::string& path);
/// Temporary file, fsync, rename, fsync of the directory: old or new content, whole, after a power loss.
Status write_file_durably(const std::string& path, std::string_view bytes, unsigned mode = 0600);
Status sync_data(int fd, std::string_view path);
/// fsync of a directory, so that names made or removed in it survive a power loss.
Status sync_directory(const std::string& path);
/// mkdir -p. Existing directories are fine.
Status make_directories(const std::string& path, unsigned mode = 0700);
/// Absence is fine.
Status remove_file(const std::string& path);
Result<uint64_t> file_size(int fd);
/// True if nobody can write the file, by a descriptor or a mapping. Requires: `fd` is open for reading only. Both by a
/// lease (fcntl(2)) that is held for an instant; the process must ignore SIGIO, for who opens the file meanwhile.
bool has_no_writer(int fd);
/// True if nobody else has the file open, by a descriptor or a mapping, the kernel for a passthrough reader included.
bool is_only_user(int fd);

}  // namespace weir::io
