#include "fuse/mount_info.h"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace weir::fuse {

namespace {

bool is_octal(char character) { return character >= '0' && character <= '7'; }

/// The kernel writes space, tab, newline and backslash as \ooo.
std::string unescape(std::string_view field) {
  std::string plain;
  for (size_t i = 0; i < field.size(); ++i) {
    if (field[i] == '\\' && i + 3 < field.size() && is_octal(field[i + 1]) && is_octal(field[i + 2]) &&
        is_octal(field[i + 3])) {
      plain.push_back(static_cast<char>((field[i + 1] - '0') * 64 + (field[i + 2] - '0') * 8 + (field[i + 3] - '0')));
      i += 3;
    } else {
      plain.push_back(field[i]);
    }
  }
  return plain;
}

std::vector<std::string_view> split(std::string_view line) {
  std::vector<std::string_view> fields;
  while (!line.empty()) {
    const size_t end = line.find(' ');
    fields.push_back(line.substr(0, end));
    line.remove_prefix(end == std::string_view::npos ? line.size() : end + 1);
  }
  return fields;
}

bool parse_device(std::string_view field, MountInfo* info) {
  const size_t colon = field.find(':');
  if (colon == std::string_view::npos) return false;
  auto number = [](std::string_view text, unsigned* value) {
    auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), *value);
    return failure == std::errc() && end == text.data() + text.size();
  };
  return number(field.substr(0, colon), &info->device_major) && number(field.substr(colon + 1), &info->device_minor);
}

// id parent major:minor root mount-point options [optional fields] - type source super-options
std::optional<MountInfo> parse_line(std::string_view line) {
  const std::vector<std::string_view> fields = split(line);
  size_t separator = 6;
  while (separator < fields.size() && fields[separator] != "-") ++separator;
  MountInfo info;
  if (separator + 3 >= fields.size() || !parse_device(fields[2], &info)) return std::nullopt;
  info.root = unescape(fields[3]);
  info.mount_point = unescape(fields[4]);
  info.fs_type = unescape(fields[separator + 1]);
  info.source = unescape(fields[separator + 2]);
  info.options = std::string(fields[separator + 3]);
  return info;
}

bool covers(std::string_view mount_point, std::string_view path) {
  if (mount_point == "/") return true;
  return path.starts_with(mount_point) && (path.size() == mount_point.size() || path[mount_point.size()] == '/');
}

}  // namespace

std::vector<MountInfo> parse_mount_info(std::string_view text) {
  std::vector<MountInfo> mounts;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    if (auto info = parse_line(text.substr(0, end))) mounts.push_back(std::move(*info));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return mounts;
}

std::optional<MountInfo> covering_mount(const std::vector<MountInfo>& mounts, std::string_view path) {
  const MountInfo* best = nullptr;
  for (const MountInfo& mount : mounts) {
    if (!covers(mount.mount_point, path)) continue;
    // Later lines are mounted on top of earlier ones.
    if (best == nullptr || mount.mount_point.size() >= best->mount_point.size()) best = &mount;
  }
  if (best == nullptr) return std::nullopt;
  return *best;
}

std::vector<MountInfo> read_mounts() {
  std::ifstream file("/proc/self/mountinfo");
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return parse_mount_info(text);
}

std::string lexically_absolute(std::string_view path) {
  std::error_code failure;
  std::filesystem::path absolute = std::filesystem::path(path);
  if (!absolute.is_absolute()) absolute = std::filesystem::current_path(failure) / absolute;
  std::string normal = absolute.lexically_normal().string();
  while (normal.size() > 1 && normal.back() == '/') normal.pop_back();
  return normal;
}

std::optional<MountInfo> find_mount(const std::string& path) {
  const std::vector<MountInfo> mounts = read_mounts();
  const std::string absolute = lexically_absolute(path);
  std::optional<MountInfo> found = covering_mount(mounts, absolute);
  if (found && found->is_weir()) return found;

  std::error_code failure;
  const std::filesystem::path resolved = std::filesystem::weakly_canonical(absolute, failure);
  if (failure) return std::nullopt;
  found = covering_mount(mounts, resolved.string());
  if (found && found->is_weir()) return found;
  return std::nullopt;
}

}  // namespace weir::fuse
