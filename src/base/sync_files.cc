#include "base/sync_files.h"

#include <fcntl.h>

#include <filesystem>

#include "base/io.h"

namespace weir::io {

Status sync_files(const std::string& directory, std::string_view ending) {
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(directory, failed)) {
    const std::string path = entry.path().string();
    if (!path.ends_with(ending)) continue;
    auto file = open_file(path, O_RDONLY);
    if (!file && file.error().code == Code::kNotFound) continue;
    if (!file) return Failure(file.error());
    TRY(sync_data(file->get(), path));
  }
  if (failed) return errno_error(failed.value(), fmt::format("list {}", directory));
  return sync_directory(directory);
}

}  // namespace weir::io
