import { Text } from "react-native";

export default () => <Text>expo answers</Text>;
