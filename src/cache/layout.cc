#include "cache/layout.h"

#include <fmt/format.h>

#include <charconv>

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

std::optional<uint64_t> parse_staging_name(std::string_view name) {
  uint64_t id = 0;
  auto [end, status] = std::from_chars(name.data(), name.data() + name.size(), id);
  if (status != std::errc() || end != name.data() + name.size() || name.empty()) return std::nullopt;
  return id;
}

}  // namespace weir::cache
