import { payments } from "../payments.ts";

export { Switch } from "../payments.ts";

export default payments("v2");
