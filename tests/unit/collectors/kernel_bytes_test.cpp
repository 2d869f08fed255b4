#include <gtest/gtest.h>

#include "evidence/collectors/kernel_programs.hpp"

namespace lab::evidence {
namespace {

ReadyPrograms some() {
  return {
      .kernel = std::string("types\0of", 8),
      .btf = "",
      .maps = {{.name = "ring", .type = 27, .entries = 4096},
               {.name = ".rodata", .type = 2, .key = 4, .value = 8, .entries = 1, .flags = 0x80, .contents = "%ps"}},
      .programs = {{.name = "drop", .code = "12345678", .functions = "87654321"}, {.name = "signal"}}};
}

TEST(ReadyPrograms, ComeBackAsTheyWere) {
  const auto back = ReadyPrograms::of(some().to_bytes());
  ASSERT_TRUE(back);
  EXPECT_EQ(back->to_bytes(), some().to_bytes());
  EXPECT_EQ(back->kernel, some().kernel);
  ASSERT_EQ(back->maps.size(), 2u);
  EXPECT_EQ(back->maps[1].flags, 0x80u);
  EXPECT_EQ(back->maps[1].contents, "%ps");
  ASSERT_EQ(back->programs.size(), 2u);
  EXPECT_EQ(back->programs[0].functions, "87654321");
}

TEST(ReadyPrograms, AreWholeOrNone) {
  const auto bytes = some().to_bytes();
  for (std::size_t length = 0; length < bytes.size(); ++length)
    EXPECT_FALSE(ReadyPrograms::of(std::string_view(bytes).substr(0, length))) << length;
  EXPECT_FALSE(ReadyPrograms::of(bytes + "x"));
}

}  // namespace
}  // namespace lab::evidence
