#include "object/directory/list_objects.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "object/directory/layout.h"
#include "object/directory/store_file.h"
#include "object/object_name.h"

namespace weir::object {

namespace {

class Walk {
 public:
  Walk(int root, std::string_view prefix, std::string_view after, size_t limit)
      : root_(root), prefix_(prefix), after_(after), limit_(limit) {}

  /// `below` is empty or ends with a slash.
  Status directory(const std::string& below);
  ListPage take() { return std::move(page_); }

 private:
  /// Names of a directory that matter; those of directories end with a slash, which sorts them as their content sorts.
  Result<std::vector<std::string>> names(const std::string& below);
  bool may_hold(std::string_view full) const;
  bool wanted(std::string_view full) const { return full.starts_with(prefix_) && full > after_; }
  Status object(const std::string& full);
  bool full_page() const { return page_.more; }

  const int root_;
  const std::string_view prefix_;
  const std::string_view after_;
  const size_t limit_;
  ListPage page_;
};

bool Walk::may_hold(std::string_view full) const {
  bool by_prefix = full.starts_with(prefix_) || prefix_.starts_with(full);
  bool behind = after_.substr(0, full.size()) <= full;
  return by_prefix && behind;
}

Result<bool> is_directory(int directory, const dirent* entry) {
  if (entry->d_type != DT_UNKNOWN) return entry->d_type == DT_DIR;
  struct stat attributes {};
  if (::fstatat(directory, entry->d_name, &attributes, AT_SYMLINK_NOFOLLOW) == 0) return S_ISDIR(attributes.st_mode);
  if (errno == ENOENT) return false;
  return error(code_of_store_errno(errno), "stat {}: {}", entry->d_name, std::strerror(errno));
}

Result<std::vector<std::string>> Walk::names(const std::string& below) {
  std::vector<std::string> result;
  auto stream = open_stream_below(root_, fmt::format("{}/{}", kObjectsDirectory, below));
  if (!stream && stream.error().code == Code::kNotFound) return result;
  if (!stream) return error(stream.error().code, "{}", stream.error().what);
  while (true) {
    ASSIGN_OR_RETURN(const dirent* entry, next_entry(stream->get()));
    if (entry == nullptr) break;
    std::string name = entry->d_name;
    if (!check_object_name(name)) continue;
    ASSIGN_OR_RETURN(bool is_branch, is_directory(::dirfd(stream->get()), entry));
    if (is_branch) name += '/';
    std::string full = below + name;
    if (is_branch ? may_hold(full) : wanted(full)) result.push_back(std::move(name));
  }
  std::sort(result.begin(), result.end());
  return result;
}

Status Walk::object(const std::string& full) {
  struct stat attributes {};
  std::string path = fmt::format("{}/{}", kObjectsDirectory, full);
  if (::fstatat(root_, path.c_str(), &attributes, 0) != 0) {
    if (errno == ENOENT) return {};
    return error(code_of_store_errno(errno), "stat {}: {}", path, std::strerror(errno));
  }
  if (!S_ISREG(attributes.st_mode)) return {};
  page_.more = page_.objects.size() == limit_;
  if (!page_.more) page_.objects.push_back({full, info_of(attributes)});
  return {};
}

Status Walk::directory(const std::string& below) {
  ASSIGN_OR_RETURN(std::vector<std::string> found, names(below));
  for (const std::string& name : found) {
    if (full_page()) break;
    TRY(name.ends_with('/') ? directory(below + name) : object(below + name));
  }
  return {};
}

}  // namespace

Result<ListPage> list_objects(int root, std::string_view prefix, std::string_view after, size_t limit) {
  Walk walk(root, prefix, after, limit);
  TRY(walk.directory(""));
  return walk.take();
}

}  // namespace weir::object
