#include "cache/layout.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>

namespace weir::cache {

namespace {
constexpr std::string_view kPartSuffix = ".part";
}

std::string Layout::images(uint8_t fan) const { return fmt::format("{}/images/{:02x}", root_, fan); }

std::string Layout::image_directory(const ManifestId& id) const { return images(static_cast<uint8_t>(id.bytes()[0])); }

std::string Layout::final_image(const ManifestId& id) const { return image_directory(id) + "/" + id.hex(); }

std::string Layout::partial_image(const ManifestId& id) const {
  return fmt::format("{}{}", final_image(id), kPartSuffix);
}

std::string Layout::small(uint32_t segment) const { return fmt::format("{}/small/{}", root_, segment); }

std::string Layout::staging(uint64_t id) const { return fmt::format("{}/staging/{}", root_, id); }

std::optional<ImageFileName> parse_image_name(std::string_view name) {
  ImageFileName result;
  result.final = !name.ends_with(kPartSuffix);
  if (!result.final) name.remove_suffix(kPartSuffix.size());
  std::optional<ManifestId> id = ManifestId::from_hex(name);
  if (!id) return std::nullopt;
  result.id = *id;
  return result;
}

std::optional<uint64_t> parse_number(std::string_view name) {
  uint64_t id = 0;
  auto [end, status] = std::from_chars(name.data(), name.data() + name.size(), id);
  if (status != std::errc() || end != name.data() + name.size() || name.empty()) return std::nullopt;
  return id;
}

Result<std::vector<std::string>> list_directory(const std::string& path) {
  std::vector<std::string> names;
  std::error_code failed;
  std::filesystem::directory_iterator entry(path, failed);
  for (; !failed && entry != std::filesystem::directory_iterator(); entry.increment(failed))
    names.push_back(entry->path().filename());
  if (failed) return error(code_of_errno(failed.value()), "list {}: {}", path, failed.message());
  return names;
}

}  // namespace weir::cache
