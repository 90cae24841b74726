#pragma once

#include <dirent.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/file_descriptor.h"
#include "base/result.h"

/// System calls relative to an open directory, with errors in an object store's terms: Unavailable for what a lost disk
/// or server answers, otherwise as code_of_errno() says. All of these block.
namespace weir::object {

Code code_of_store_errno(int saved_errno);

Result<FileDescriptor> open_below(int directory, const std::string& path, int flags, unsigned mode = 0600);
/// fsync of directory `path` below `directory`.
Status sync_below(int directory, const std::string& path);

struct CloseDirectory {
  void operator()(DIR* stream) const { ::closedir(stream); }
};
using DirectoryStream = std::unique_ptr<DIR, CloseDirectory>;

/// For reading from the start. NotFound when `path` is gone.
Result<DirectoryStream> open_stream_below(int directory, const std::string& path);
/// The next entry that is not "." or ".."; nullptr at the end. Valid until the next call.
Result<const dirent*> next_entry(DIR* stream);

/// The part before the last slash; "." when there is none.
std::string parent_of(std::string_view path);

}  // namespace weir::object
