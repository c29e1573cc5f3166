import { assertEquals, assertRejects } from "@std/assert";
import { testWith } from "../programs.ts";
import { linked } from "./stand_in.ts";

testWith(["python3"], "op().par sets a parameter, and eval() reads it", async () => {
  await using linked_ = await linked();
  const { op, td } = linked_;
  op("lights").par.Value = 0.5;
  op("lights").par.Label.val = "übung 💡";
  op("lights").par.On = true;
  assertEquals(await op("lights").par.Value.eval(), 0.5);
  assertEquals(await op("lights").par.Label.val, "übung 💡");
  assertEquals(await td.get("[lights.par.Value.val, lights.par.Label.val, lights.par.On.val]"), [
    0.5,
    "übung 💡",
    true,
  ]);
  await assertRejects(() => op("lights").par.Valeu.eval(), Error, "did you mean Value?");
});
